"""The read API and the page, as one ASGI application. It works on the Protocols of `domain.reading`."""

"""HTTP: the webhook receiver (`edge`) and the server that runs it. It is given its log; it knows no database."""

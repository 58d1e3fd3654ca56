"""What Persona sends and how: its signature, its bodies, and a simulator that sends the like (persona.md)."""

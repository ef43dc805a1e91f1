"""The store: what must survive, in SQLite. Statements are SQLAlchemy Core, compiled once; one text serves every database."""

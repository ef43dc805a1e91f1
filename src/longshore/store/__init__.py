"""The store: what must survive. Statements are SQLAlchemy Core, compiled once; one text serves every database."""

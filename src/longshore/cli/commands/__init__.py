"""One module for each command: it asks the server, makes a result and hands it to an output."""

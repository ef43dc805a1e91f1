"""AWS Security Token Service, as far as clients ask it who they are."""

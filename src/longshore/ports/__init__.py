"""What the core needs from outside, as Protocols; adapters implement them, `longshore.testing` checks them."""

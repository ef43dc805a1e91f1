"""Pure decisions: a `Snapshot` goes in, a `Plan` comes out; the same snapshot always gives the same plan."""

"""A simulated server of PostgreSQL that the real store runs on, and faults of it and on the way to it.

From the inside out: `server` keeps rows, locks and what is not committed, `transactions`, `tables` and
`signs` say what each statement does that `dialect` knows, `session` works off the messages of a client,
`connection` stands in the place of the driver's, `world` draws what goes wrong, `judge` watches what the
store does, `study` trains on it.
"""

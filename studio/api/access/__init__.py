"""Who gets in: accounts, logins, sessions, invitations, and the gate before every route."""

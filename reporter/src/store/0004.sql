-- accounts that agents sign in with: how often each mailbox may still be tried
CREATE TABLE mailbox (
    -- SHA-256 of the user name, in hexadecimal
    mailbox TEXT PRIMARY KEY,
    -- the budget and who uses it, as JSON
    kept TEXT NOT NULL
) STRICT;

-- definitions in their normal form, each from the instant it was first in force
CREATE TABLE definition (seen_ms INTEGER PRIMARY KEY, normal TEXT NOT NULL) STRICT;

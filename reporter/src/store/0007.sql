-- the token that an agent had before a rotation, and until when it is good beside the new one;
-- nothing once the new one was used
ALTER TABLE agent ADD COLUMN old_hash BLOB;
ALTER TABLE agent ADD COLUMN old_until_ms INTEGER;
CREATE INDEX agent_old_hash ON agent (old_hash) WHERE old_hash IS NOT NULL;

-- Tries that failed are found by their age, so that they can be let go of: a target that is away for a day leaves some
-- for every account.
CREATE INDEX deliveries_failed ON deliveries (finished_at) WHERE state = 'failed';

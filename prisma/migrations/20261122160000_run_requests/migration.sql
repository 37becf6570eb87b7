-- Runs that somebody asked for wait in state 'queued' for a worker, and may be cancelled.
ALTER TABLE runs ADD COLUMN requested_by text;
ALTER TABLE runs ADD COLUMN plan_only boolean NOT NULL DEFAULT false;
ALTER TABLE runs ADD COLUMN cancelled_by text;
-- At most one of a connection waits.
CREATE UNIQUE INDEX runs_queued ON runs (connection_id) WHERE state = 'queued';

-- What a run went through, for whoever watches it, on whatever node: its states and how far it is. Deleted a day after its end.
CREATE TABLE run_events (
  id bigserial PRIMARY KEY,
  run_id bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  -- state | progress
  event text NOT NULL,
  data jsonb NOT NULL
);
CREATE INDEX run_events_run_id_id_idx ON run_events (run_id, id);

-- A semicolon is written \x3b inside the body: the migration engine takes every other one for the end of a statement.
-- A run's row is locked by whoever writes an event of it, here by the change itself: ids follow one another as commits do.
CREATE FUNCTION note_run_state() RETURNS trigger LANGUAGE plpgsql AS E'
begin
  insert into run_events (run_id, event, data) values (new.id, ''state'', jsonb_build_object(''state'', new.state))\x3b
  return null\x3b
end';
CREATE TRIGGER runs_began AFTER INSERT ON runs FOR EACH ROW EXECUTE FUNCTION note_run_state();
CREATE TRIGGER runs_moved AFTER UPDATE OF state ON runs FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION note_run_state();

-- Figures of the kill switch are read from the newest on.
CREATE INDEX deliveries_ended ON deliveries (finished_at) WHERE state = 'delivered' AND operation IN ('disable', 'remove');

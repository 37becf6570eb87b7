-- The queue's own add_job takes its key from a job that runs already, and then adds the new one. A job that begins in between keeps its
-- key, and the new one is neither added nor told of: what had changed since the running one looked was found by nobody for a minute. Asked
-- again, it finds the job that has begun.
create function enqueue_job(
  "identifier" text, "payload" json, "queue_name" text default null, "run_at" timestamptz default null, "max_attempts" integer default 25,
  "job_key" text default null, "job_key_mode" text default 'replace'
) returns bigint language plpgsql as E'
declare
  added bigint\x3b
begin
  for attempt in 1..5 loop
    select job.id into added from graphile_worker.add_job(
      enqueue_job.identifier, enqueue_job.payload, enqueue_job.queue_name, coalesce(enqueue_job.run_at, now()), enqueue_job.max_attempts,
      enqueue_job.job_key, job_key_mode := enqueue_job.job_key_mode) job\x3b
    if added is not null then return added\x3b end if\x3b
  end loop\x3b
  raise exception ''The job % can not be queued: others with its key begin all the time.'', enqueue_job.job_key using errcode = ''40001''\x3b
end';

-- Access follows from a person's own time too: the end that somebody set, and dates of employment.
create trigger "person_expiries_access_insert" after insert on person_expiries referencing new table as changed_rows for each statement execute function note_access_of_people();
create trigger "person_expiries_access_update" after update on person_expiries referencing new table as changed_rows for each statement execute function note_access_of_people();
create trigger "person_expiries_access_delete" after delete on person_expiries referencing old table as changed_rows for each statement execute function note_access_of_people();
create trigger "person_expiries_access_truncate" after truncate on person_expiries for each statement execute function note_access_of_everybody();
create trigger "employment_absences_access_insert" after insert on employment_absences referencing new table as changed_rows for each statement execute function note_access_of_people();
create trigger "employment_absences_access_update" after update on employment_absences referencing new table as changed_rows for each statement execute function note_access_of_people();
create trigger "employment_absences_access_delete" after delete on employment_absences referencing old table as changed_rows for each statement execute function note_access_of_people();
create trigger "employment_absences_access_truncate" after truncate on employment_absences for each statement execute function note_access_of_everybody();

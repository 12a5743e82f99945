//! Running a guest: compile, pool, instantiate, limits; one file a wit import.

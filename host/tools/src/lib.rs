//! What can be called: the catalogue, and the one call path of every door.

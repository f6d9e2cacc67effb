"""taifish: a web application, its workers and its clock, from one image."""

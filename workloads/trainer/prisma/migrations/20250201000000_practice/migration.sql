CREATE TABLE practice (
  id VARCHAR(36) PRIMARY KEY NOT NULL,
  user_id VARCHAR(36) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  said TEXT NOT NULL,
  heard TEXT NOT NULL,
  score DOUBLE PRECISION NOT NULL,
  created_at VARCHAR(24) NOT NULL
);
CREATE INDEX practice_of_user ON practice (user_id, created_at);

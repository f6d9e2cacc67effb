-- Both databases understand every migration here: plain types, times as ISO 8601 text.
CREATE TABLE users (
  id VARCHAR(36) PRIMARY KEY NOT NULL,
  email VARCHAR(254) NOT NULL UNIQUE,
  password VARCHAR(255) NOT NULL,
  created_at VARCHAR(24) NOT NULL
);

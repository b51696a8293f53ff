-- For SQLite. Integers that nobody gives are the row's number.
CREATE TABLE artist_location (
  artist_id CHAR(18) NOT NULL PRIMARY KEY,
  latitude DOUBLE,
  longitude DOUBLE
);
CREATE TABLE msd_artist (
  artist_id CHAR(18) NOT NULL PRIMARY KEY,
  artist_mbid CHAR(36),
  artist_name VARCHAR(350),
  artist_lat DOUBLE,
  artist_long DOUBLE
);
CREATE TABLE msd_r_term (
  term_id INTEGER PRIMARY KEY,
  term_name VARCHAR(50) NOT NULL UNIQUE
);
CREATE TABLE msd_r_mbtag (
  mbtag_id INTEGER PRIMARY KEY,
  mbtag_name VARCHAR(150) NOT NULL UNIQUE
);
CREATE TABLE msd_artist_term (
  artist_term_id INTEGER PRIMARY KEY,
  artist_id CHAR(18) NOT NULL,
  term_name VARCHAR(50) NOT NULL,
  UNIQUE (artist_id, term_name),
  FOREIGN KEY (artist_id) REFERENCES msd_artist (artist_id),
  FOREIGN KEY (term_name) REFERENCES msd_r_term (term_name)
);
CREATE TABLE msd_artist_mbtag (
  artist_mbtag_id INTEGER PRIMARY KEY,
  artist_id CHAR(18) NOT NULL,
  mbtag_name VARCHAR(150) NOT NULL,
  UNIQUE (artist_id, mbtag_name),
  FOREIGN KEY (artist_id) REFERENCES msd_artist (artist_id),
  FOREIGN KEY (mbtag_name) REFERENCES msd_r_mbtag (mbtag_name)
);
CREATE TABLE msd_artist_similarity (
  artist_similarity_id INTEGER PRIMARY KEY,
  artist_id_1 CHAR(18) NOT NULL,
  artist_id_2 CHAR(18) NOT NULL,
  UNIQUE (artist_id_1, artist_id_2),
  FOREIGN KEY (artist_id_1) REFERENCES msd_artist (artist_id),
  FOREIGN KEY (artist_id_2) REFERENCES msd_artist (artist_id)
);
CREATE TABLE msd_track (
  track_id CHAR(18) NOT NULL PRIMARY KEY,
  analysis_sample_rate INT,
  audio_md5 CHAR(32),
  danceability DOUBLE,
  duration DOUBLE,
  end_of_fade_in DOUBLE,
  energy DOUBLE,
  "key" INT,
  key_confidence DOUBLE,
  loudness DOUBLE,
  mode INT,
  mode_confidence DOUBLE,
  start_of_fade_out DOUBLE,
  tempo DOUBLE,
  time_signature INT,
  time_signature_confidence DOUBLE,
  artist_id CHAR(18) NOT NULL,
  "release" VARCHAR(200),
  song_hotness DOUBLE,
  title VARCHAR(200),
  track_7digitalid CHAR(7),
  year INT,
  upload_timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
  FOREIGN KEY (artist_id) REFERENCES msd_artist (artist_id)
);
CREATE TABLE msd_section (
  section_id INTEGER PRIMARY KEY,
  track_id CHAR(18) NOT NULL,
  track_section_id INT NOT NULL,
  section_confidence DOUBLE,
  section_start DOUBLE,
  FOREIGN KEY (track_id) REFERENCES msd_track (track_id)
);
CREATE TABLE msd_bar (
  bar_id INTEGER PRIMARY KEY,
  track_id CHAR(18) NOT NULL,
  track_bar_id INT NOT NULL,
  bar_confidence DOUBLE,
  bar_start DOUBLE,
  FOREIGN KEY (track_id) REFERENCES msd_track (track_id)
);
CREATE TABLE msd_beat (
  beat_id INTEGER PRIMARY KEY,
  track_id CHAR(18) NOT NULL,
  track_beat_id INT NOT NULL,
  beat_confidence DOUBLE,
  beat_start DOUBLE,
  FOREIGN KEY (track_id) REFERENCES msd_track (track_id)
);
CREATE TABLE msd_tatum (
  tatum_id INTEGER PRIMARY KEY,
  track_id CHAR(18) NOT NULL,
  track_tatum_id INT NOT NULL,
  tatum_confidence DOUBLE,
  tatum_start DOUBLE,
  FOREIGN KEY (track_id) REFERENCES msd_track (track_id)
);
CREATE TABLE msd_segment (
  segment_id INTEGER PRIMARY KEY,
  track_id CHAR(18) NOT NULL,
  track_segment_id INT NOT NULL,
  segment_confidence DOUBLE,
  segment_start DOUBLE,
  segment_loudness_max DOUBLE,
  segment_loudness_max_time DOUBLE,
  segment_loudness_start DOUBLE,
  p1 DOUBLE, p2 DOUBLE, p3 DOUBLE, p4 DOUBLE, p5 DOUBLE, p6 DOUBLE, p7 DOUBLE, p8 DOUBLE, p9 DOUBLE, p10 DOUBLE, p11 DOUBLE, p12 DOUBLE,
  t1 DOUBLE, t2 DOUBLE, t3 DOUBLE, t4 DOUBLE, t5 DOUBLE, t6 DOUBLE, t7 DOUBLE, t8 DOUBLE, t9 DOUBLE, t10 DOUBLE, t11 DOUBLE, t12 DOUBLE,
  FOREIGN KEY (track_id) REFERENCES msd_track (track_id)
);

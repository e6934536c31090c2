CREATE TABLE IF NOT EXISTS goods (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    cents integer NOT NULL CHECK (cents > 0)
);

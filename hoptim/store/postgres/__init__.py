"""PostgreSQL as the place of a study's records and signs of life; needs the extra "postgres"."""

"""Clock, ids, errors, settings and languages: what every other room stands on."""

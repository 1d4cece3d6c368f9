-- The rest of what the door does to a locale: es.UTF-8 and es@euro were still written to in English.
UPDATE borrowers
   SET locale = (
       SELECT string_agg(CASE WHEN place = 1 THEN lower(part)
                              WHEN length(part) = 2 THEN upper(part)    -- a region
                              WHEN length(part) = 4 THEN initcap(part)  -- a script
                              ELSE lower(part) END, '-' ORDER BY place)
         FROM unnest(string_to_array(replace(regexp_replace(locale, '[.@].*', ''), '_', '-'), '-'))
              WITH ORDINALITY AS tag (part, place))
 WHERE locale !~ '^[a-z]{2,3}(-[A-Z]{2})?$';

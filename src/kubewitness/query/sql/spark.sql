-- The functions that predicates use, for Spark 4 (variants). They are written into the query where they are used, for a
-- function of SQL may not stand inside a lambda. Bodies are text columns that hold JSON; what is no JSON is null.

-- The value at a path such as $["spec"]["replicas"]; null where there is none.
CREATE OR REPLACE TEMPORARY FUNCTION kw_json(body STRING, path STRING) RETURNS VARIANT
RETURN try_variant_get(try_parse_json(body), path, 'variant');

-- One step into JSON: the value at a path of one key, of an object or of every element of an array, for each value given.
CREATE OR REPLACE TEMPORARY FUNCTION kw_step(json_values ARRAY<VARIANT>, path STRING) RETURNS ARRAY<VARIANT>
RETURN flatten(
    transform(
        json_values,
        value -> coalesce(
            transform(
                try_variant_get(value, '$', 'array<variant>'), element -> try_variant_get(element, path, 'variant')
            ),
            array(try_variant_get(value, path, 'variant'))
        )
    )
);

-- The values reached, as text, arrays taken apart.
CREATE OR REPLACE TEMPORARY FUNCTION kw_texts(json_values ARRAY<VARIANT>) RETURNS ARRAY<STRING>
RETURN filter(
    flatten(
        transform(
            json_values,
            value -> coalesce(
                transform(
                    try_variant_get(value, '$', 'array<variant>'), element -> try_variant_get(element, '$', 'string')
                ),
                array(try_variant_get(value, '$', 'string'))
            )
        )
    ),
    text -> text IS NOT NULL
);

-- Colon-separated hextets as hex digits, each padded to four.
CREATE OR REPLACE TEMPORARY FUNCTION kw_hextets(hextets STRING) RETURNS STRING
RETURN array_join(
    transform(filter(split(lower(hextets), ':'), hextet -> hextet <> ''), hextet -> lpad(hextet, 4, '0')), ''
);

-- An address as text that sorts like the number it is: `4:` and 8 hex digits, or `6:` and 32.
CREATE OR REPLACE TEMPORARY FUNCTION kw_address(ip STRING) RETURNS STRING
RETURN CASE
    WHEN regexp_like(ip, r'^(?i:::ffff:)?((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)\z')
        THEN '4:' || array_join(
            transform(
                split(regexp_extract(ip, r'[\d.]+\z', 0), '[.]'), octet -> lpad(lower(hex(CAST(octet AS BIGINT))), 2, '0')
            ),
            ''
        )
    WHEN regexp_like(
        ip, r'^(?i)([0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}|([0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,6})?::([0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,6})?)\z'
    )
        THEN '6:' || kw_hextets(split_part(ip, '::', 1))
            || repeat(
                '0',
                greatest(
                    32 - length(kw_hextets(split_part(ip, '::', 1))) - length(kw_hextets(split_part(ip, '::', 2))), 0
                )
            )
            || kw_hextets(split_part(ip, '::', 2))
END;

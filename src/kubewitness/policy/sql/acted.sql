-- One row per record: what becomes of it (policy/bulk.py, Action), and whether the policy asks for more than the log holds.
-- `policy_code` is what the policy decides: level in two bits, managedFields in one, then one for each omitted stage.
SELECT
    *,
    CASE
        WHEN NOT fits OR fits IS NULL OR other_category IS NOT NULL THEN '-'
        -- What a cut record does not tell cannot speak against it.
        WHEN partial AND (verb IS NULL OR request_uri IS NULL OR username IS NULL) THEN 'C'
        WHEN asked_level = 0 THEN 'N'
        WHEN (policy_code >> (3 + stage_bit)) & 1 = 1 THEN 'S'
        WHEN partial THEN 'C'
        WHEN logged_level <= asked_level OR (logged_level IS NULL AND asked_level = 3)
            THEN CASE WHEN policy_code & 4 = 4 AND coalesce(logged_level, 3) > 1 THEN 'k' ELSE 'K' END
        WHEN asked_level = 1 THEN 'M'
        WHEN policy_code & 4 = 4 THEN 'r'
        ELSE 'R'
    END AS action,
    fits AND asked_level > logged_level AS more
FROM (
    SELECT
        *,
        policy_code & 3 AS asked_level,
        CASE level WHEN 'Metadata' THEN 1 WHEN 'Request' THEN 2 WHEN 'RequestResponse' THEN 3 END AS logged_level,
        CASE stage
            WHEN 'RequestReceived' THEN 0 WHEN 'ResponseStarted' THEN 1 WHEN 'ResponseComplete' THEN 2 WHEN 'Panic' THEN 3
        END AS stage_bit
    FROM coded
)

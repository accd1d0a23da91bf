-- name: version
select current_setting('server_version_num')::int as version, current_setting('server_version') as version_name

-- name: rights
-- What the session's user may do here. `app_*` are null while there is no application role in this cluster.
select quote_ident(u.rolname) as user_name, quote_ident(current_database()) as database_name,
    getdatabaseencoding() as encoding, pg_is_in_recovery() as standby,
    coalesce(has_schema_privilege(to_regnamespace('public'), 'create'), false) as may_create_tables,
    u.rolsuper or u.rolcreaterole as may_create_roles,
    pg_has_role(app.oid, 'member with admin option') as app_admin,
    pg_has_role(app.oid, 'set') as app_set
from pg_roles u left join pg_roles app on app.rolname = $1
where u.rolname = current_user

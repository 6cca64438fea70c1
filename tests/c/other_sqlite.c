/* What a program has that brings an SQLite of its own: the names that the store's has too, with other answers. */
static int opened = 0;

int sqlite3_open(const char *path, void **db);
int sqlite3_open_v2(const char *path, void **db, int flags, const char *vfs);
int sqlite3_prepare_v3(void *db, const char *sql, int len, unsigned flags, void **made, const char **rest);
int sqlite3_step(void *statement);
int sqlite3_close(void *db);
const char *sqlite3_libversion(void);
int sqlite3_libversion_number(void);
int sqlite3_threadsafe(void);
int other_sqlite_opened(void);

int sqlite3_open(const char *path, void **db)
{
    (void)path;
    opened += 1;
    *db = &opened;
    return 0;
}

int sqlite3_open_v2(const char *path, void **db, int flags, const char *vfs)
{
    (void)flags;
    (void)vfs;
    return sqlite3_open(path, db);
}

int sqlite3_prepare_v3(void *db, const char *sql, int len, unsigned flags, void **made, const char **rest)
{
    (void)db;
    (void)sql;
    (void)len;
    (void)flags;
    (void)made;
    (void)rest;
    return 21;
}

int sqlite3_step(void *statement)
{
    (void)statement;
    return 21;
}

int sqlite3_close(void *db)
{
    (void)db;
    return 0;
}

const char *sqlite3_libversion(void)
{
    return "other";
}

int sqlite3_libversion_number(void)
{
    return 1;
}

int sqlite3_threadsafe(void)
{
    return 0;
}

int other_sqlite_opened(void)
{
    return opened;
}

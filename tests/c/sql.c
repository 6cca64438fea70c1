/* SQL: parameters and values of every type, limits, and what is refused. */
#include "expect.h"

static syncstore_error *error = NULL;

static syncstore_sql *statement(syncstore *store, const char *select)
{
    syncstore_sql *sql;

    EXPECT_OK(syncstore_sql_new(store, select, strlen(select), &sql, &error));
    return sql;
}

#define EXPECT_REFUSED(words, sql)                                                         \
    do {                                                                                   \
        syncstore_sql_rows *rows_;                                                         \
        EXPECT_FAILS(SYNCSTORE_SQL, words, syncstore_sql_run(sql, &rows_, &error));        \
        EXPECT(rows_ == NULL);                                                             \
    } while (0)

static void parameters_and_values(syncstore *store)
{
    syncstore_sql *sql = statement(store, "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, 'm' || char(0) || 'n'");
    syncstore_sql_rows *rows;
    const char *text;
    const void *blob;
    size_t len;

    EXPECT_OK(syncstore_sql_bind_null(sql, NULL, &error));
    EXPECT_OK(syncstore_sql_bind_integer(sql, NULL, INT64_MIN, &error));
    EXPECT_OK(syncstore_sql_bind_real(sql, NULL, 2.5, &error));
    EXPECT_OK(syncstore_sql_bind_text(sql, NULL, "milk and bread", 4, &error));
    EXPECT_REFUSED("was not given", sql);
    EXPECT_OK(syncstore_sql_bind_blob(sql, NULL, "\xff\x00\x01", 3, &error));
    EXPECT_OK(syncstore_sql_run(sql, &rows, &error));
    syncstore_sql_free(sql);

    EXPECT(syncstore_sql_rows_count(rows) == 1 && syncstore_sql_rows_columns(rows) == 6);
    EXPECT_TEXT("a", syncstore_sql_rows_column_name(rows, 0));
    EXPECT(syncstore_sql_rows_column(rows, "d") == 3 && syncstore_sql_rows_column(rows, "z") == -1);
    EXPECT(syncstore_sql_rows_column_name(rows, 6) == NULL);
    EXPECT(syncstore_sql_rows_type(rows, 0, 0) == SYNCSTORE_SQL_NULL);
    EXPECT(syncstore_sql_rows_type(rows, 0, 1) == SYNCSTORE_SQL_INTEGER);
    EXPECT(syncstore_sql_rows_integer(rows, 0, 1) == INT64_MIN);
    EXPECT(syncstore_sql_rows_type(rows, 0, 2) == SYNCSTORE_SQL_REAL && syncstore_sql_rows_real(rows, 0, 2) == 2.5);
    EXPECT(syncstore_sql_rows_type(rows, 0, 3) == SYNCSTORE_SQL_TEXT);
    text = syncstore_sql_rows_text(rows, 0, 3, &len);
    EXPECT(len == 4 && memcmp(text, "milk", 4) == 0);
    EXPECT(syncstore_sql_rows_type(rows, 0, 4) == SYNCSTORE_SQL_BLOB);
    blob = syncstore_sql_rows_blob(rows, 0, 4, &len);
    EXPECT(len == 3 && memcmp(blob, "\xff\x00\x01", 3) == 0);
    text = syncstore_sql_rows_text(rows, 0, 5, &len);
    EXPECT(len == 3 && memcmp(text, "m\0n", 3) == 0);

    /* Nothing is converted, and nothing is beside the table. */
    EXPECT(syncstore_sql_rows_integer(rows, 0, 2) == 0 && syncstore_sql_rows_real(rows, 0, 1) == 0.0);
    EXPECT(syncstore_sql_rows_text(rows, 0, 4, &len) == NULL && len == 0);
    EXPECT(syncstore_sql_rows_blob(rows, 0, 3, &len) == NULL && len == 0);
    EXPECT(syncstore_sql_rows_type(rows, 0, 6) == 0 && syncstore_sql_rows_type(rows, 1, 0) == 0);
    syncstore_sql_rows_free(rows);
}

static void names_and_views(syncstore *store)
{
    syncstore_sql *sql = statement(
        store, "SELECT key FROM items WHERE collection = :c AND value ->> '$.done' = :done ORDER BY key");
    syncstore_sql_rows *rows;
    const char *text;
    size_t len;

    EXPECT_OK(syncstore_sql_bind_text(sql, ":c", "notes", 5, &error));
    EXPECT_OK(syncstore_sql_bind_integer(sql, ":done", 0, &error));
    EXPECT_OK(syncstore_sql_run(sql, &rows, &error));
    EXPECT(syncstore_sql_rows_count(rows) == 1);
    syncstore_sql_rows_free(rows);
    /* Bound anew, and run again. */
    EXPECT_OK(syncstore_sql_bind_integer(sql, ":done", 1, &error));
    EXPECT_OK(syncstore_sql_run(sql, &rows, &error));
    EXPECT(syncstore_sql_rows_count(rows) == 2);
    text = syncstore_sql_rows_text(rows, 1, 0, &len);
    EXPECT(len == 2 && memcmp(text, "n3", 2) == 0);
    syncstore_sql_rows_free(rows);
    EXPECT_OK(syncstore_sql_unbind(sql, &error));
    EXPECT_REFUSED("was not given", sql);
    EXPECT_OK(syncstore_sql_bind_null(sql, ":none", &error));
    EXPECT_REFUSED(":none", sql);
    syncstore_sql_free(sql);
}

static void limits(syncstore *store)
{
    syncstore_sql *sql = statement(
        store, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n");
    syncstore_sql_rows *rows;

    EXPECT_REFUSED("more than 10000 rows", sql);
    EXPECT_OK(syncstore_sql_limits(sql, 20000, 0, 0, &error));
    EXPECT_OK(syncstore_sql_run(sql, &rows, &error));
    EXPECT(syncstore_sql_rows_count(rows) == 20000 && syncstore_sql_rows_integer(rows, 19999, 0) == 20000);
    syncstore_sql_rows_free(rows);
    EXPECT_OK(syncstore_sql_limits(sql, 20000, 100, 0, &error));
    EXPECT_REFUSED("100 bytes", sql);
    syncstore_sql_free(sql);

    sql = statement(store, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n");
    EXPECT_OK(syncstore_sql_limits(sql, 0, 0, 20, &error));
    EXPECT_REFUSED("longer than 20ms", sql);
    syncstore_sql_free(sql);
}

int main(void)
{
    syncstore *store;
    syncstore_sql *sql;

    EXPECT_OK(syncstore_open("sql.db", NULL, &store, &error));
    EXPECT_OK(syncstore_set(store, "notes", "n1", "{\"done\": false}", 15, NULL, &error));
    EXPECT_OK(syncstore_set(store, "notes", "n2", "{\"done\": true}", 14, NULL, &error));
    EXPECT_OK(syncstore_set(store, "notes", "n3", "{\"done\": true}", 14, NULL, &error));
    parameters_and_values(store);
    names_and_views(store);
    limits(store);
    sql = statement(store, "DELETE FROM items");
    EXPECT_REFUSED("", sql);
    syncstore_sql_free(sql);
    sql = statement(store, "SELECT nothing FROM items");
    EXPECT_REFUSED("nothing", sql);
    syncstore_sql_free(sql);
    syncstore_free(store);
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}

/* A program with an SQLite of its own beside the store's: each keeps to its own. Its argument is the version of the other one.
   Compiled and run by .ci/c-symbols. */
#include "expect.h"

const char *sqlite3_libversion(void);
int sqlite3_open(const char *path, void **db);
int sqlite3_close(void *db);
#ifdef WITH_STUB
int other_sqlite_opened(void);
#endif

int main(int argc, char **argv)
{
    syncstore_error *error = NULL;
    syncstore *store;
    syncstore_text json;
    void *db = NULL;

    EXPECT(argc == 2);
    EXPECT_TEXT(argv[1], sqlite3_libversion());
    EXPECT(sqlite3_open(":memory:", &db) == 0 && db != NULL);

    EXPECT_OK(syncstore_open("two_sqlites.db", NULL, &store, &error));
    EXPECT_OK(syncstore_set(store, "notes", "n1", "\"Milk\"", 6, NULL, &error));
    EXPECT_OK(syncstore_get(store, "notes", "n1", &json, &error));
    EXPECT_TEXT("\"Milk\"", json.data);
    syncstore_text_free(&json);
    syncstore_free(store);

    EXPECT(sqlite3_close(db) == 0);
#ifdef WITH_STUB
    EXPECT(other_sqlite_opened() == 1);
#endif
    EXPECT(syncstore_live_handles() == 0);
    return 0;
}

// Without exceptions: every call answers a value or an error; built with -fno-exceptions, as C++17 with syncstore::result and as C++23 with std::expected.
#include "syncstore.hpp"

#include <cstdio>
#include <cstdlib>

#define EXPECT(...)                                                                      \
    do {                                                                                 \
        if (!(__VA_ARGS__)) {                                                            \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #__VA_ARGS__); \
            std::exit(1);                                                                \
        }                                                                                \
    } while (0)

// Another translation unit, in which exceptions are on.
std::size_t with_exceptions();

static void items()
{
    syncstore::answer<syncstore::store> opened = syncstore::store::open("results.db");
    EXPECT(opened.has_value());
    syncstore::store store = std::move(*opened);
    const syncstore::answer<syncstore::ref> set = store.set("notes", "n", "1");
    EXPECT(set && store.get("notes", "n").value()->view() == "1" && !store.get("notes", "m").value());
    EXPECT(store.set("notes", "n", "2").value() != *set);

    const auto failed = store.set("notes", "n", "{");
    EXPECT(!failed && failed.error().code() == SYNCSTORE_JSON && !failed.error().message().empty());
    EXPECT(store.patch("notes", "none", "[]").error().key() == "none");
    EXPECT(store.get("notes", "n").value_or(std::nullopt)->view() == "2");

    auto batch = store.batch();
    EXPECT(batch && batch->set("notes", "b", "3") && !batch->set("notes", "b", "{") && batch->commit());
    EXPECT(batch->commit().error().code() == SYNCSTORE_MISUSE);

    const auto rows = store.query("notes").from("b").limit(5).run();
    EXPECT(rows && rows->size() == 2);
    for (const syncstore::row row : *rows) EXPECT(!row.key.empty());
    int seen = 0;
    EXPECT(store.query("notes").for_each([&](syncstore::row) { ++seen; }) && seen == 2);
    EXPECT(store.query("notes").resume("none").run().error().code() == SYNCSTORE_RESUME_TOKEN);
    EXPECT(store.sql("SELECT count(*) FROM items").run().value()[0][std::size_t{0}] == syncstore::sql_value(std::int64_t{2}));
    // Closing waits for 250 ms, which may not be enough on a busy machine.
    const auto how = store.close();
    EXPECT(how && (*how == syncstore::stopped::entirely || *how == syncstore::stopped::soon));
    EXPECT(!store.pause());
    EXPECT(store.query("notes").run().error().code() == SYNCSTORE_CLOSED && store.walk("notes", "n").run().error().code() == SYNCSTORE_CLOSED);
}

int main()
{
    items();
    EXPECT(syncstore::store::open("results.db\0x").has_value());
    EXPECT(syncstore::store::open("none/such.db").error().code() == SYNCSTORE_STORAGE);
    EXPECT(with_exceptions() == 1);
    EXPECT(syncstore::live_handles() == 0);
    return 0;
}

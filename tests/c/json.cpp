// nlohmann::json values, where that header is present; else there is nothing to see. The argument says which is expected: "with" or "without".
#include "expect.hpp"

int main(int count, char** arguments)
{
#ifdef SYNCSTORE_HAS_NLOHMANN
    const std::string_view has = "with";
#else
    const std::string_view has = "without";
#endif
    EXPECT(count == 2 && has == arguments[1]);
#ifdef SYNCSTORE_HAS_NLOHMANN
    {
        syncstore::store store = syncstore::store::open("json.db");
        store.set("notes", "n", nlohmann::json{{"title", "Milk"}, {"amount", 2}});
        store.set("notes", "text", "\"a text is JSON already\"");
        store.patch("notes", "n", nlohmann::json::parse(R"([{"op": "add", "path": "/done", "value": true}])"));
        EXPECT(store.get_json("notes", "n") == nlohmann::json({{"title", "Milk"}, {"amount", 2}, {"done", true}}));
        EXPECT(!store.get_json("notes", "none") && store.get("notes", "n")->json()["amount"] == 2);
        for (const syncstore::row row : store.query("notes").to("t")) EXPECT(row.json().at("title") == "Milk");
        EXPECT_THROWS(SYNCSTORE_LIMIT, store.set("notes", "", nlohmann::json(1)));

        syncstore::batch batch = store.batch();
        batch.set("notes", "b", nlohmann::json("a text becomes JSON"));
        batch.patch("notes", "n", nlohmann::json::parse(R"([{"op": "remove", "path": "/done"}])"));
        batch.commit();
        EXPECT(store.get("notes", "b")->view() == "\"a text becomes JSON\"" && !store.get_json("notes", "n")->contains("done"));

        // Elsewhere as well; each gets as far as what is wrong with the rest of the call.
        const nlohmann::json value{{"title", "Cream"}};
        EXPECT_THROWS(SYNCSTORE_NOT_REJECTED, store.edit_set(syncstore::ref(), value));
        EXPECT_THROWS(SYNCSTORE_NOT_REJECTED, store.edit_patch(syncstore::ref(), nlohmann::json::array()));
        EXPECT_THROWS(SYNCSTORE_MISUSE, store.resolve(syncstore::conflict(nullptr), syncstore::resolution::merged, value));
        EXPECT_THROWS(SYNCSTORE_MISUSE, syncstore::resolver_answer(nullptr).resolve(syncstore::resolution::merged, value));
        syncstore::remote remote = syncstore::remote::connect("http://127.0.0.1:1", "notes");
        EXPECT_THROWS(SYNCSTORE_LIMIT, remote.set("", "n", value));
        EXPECT_THROWS(SYNCSTORE_LIMIT, remote.patch("", "n", nlohmann::json::array()));
        syncstore::remote_batch writes = remote.batch();
        writes.set("notes", "n", value);
        writes.patch("notes", "n", nlohmann::json::array());
        EXPECT(writes.size() == 2);
    }
#endif
    EXPECT(syncstore::live_handles() == 0);
    return 0;
}

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
    }
#endif
    EXPECT(syncstore::live_handles() == 0);
    return 0;
}

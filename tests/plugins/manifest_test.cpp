// SPDX-License-Identifier: Apache-2.0
//
// Claims: a manifest is read as it was written, with its standards; whatever breaks a rule of
// docs/formats/plugin_manifest.md is refused by file, line and key, with what to write instead; the
// same capabilities have the same canonical text and others another; `beyond` names exactly what
// was not granted; a configuration is taken or refused by the manifest's own rules.
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <boost/json.hpp>
#include <perdure/plugins/host/manifest.hpp>

namespace {

using namespace perdure;
using plugins::capabilities;
using plugins::manifest;

const std::string head = "id = \"org.example.yield\"\nversion = \"1.2.3\"\nabi = \"1.0\"\n";
const std::string tick_head = head + "kind = \"tick\"\n";
const std::string ticking = tick_head + "[tick]\nevery = \"10s\"\n";
const std::string sinking = head + "kind = \"sink\"\n";

manifest read(const std::string& toml) { return manifest::parse(toml, "plugin.toml"); }

std::string refused(const std::string& toml, errc reason = errc::bad_plugin) {
    try {
        static_cast<void>(read(toml));
    } catch (const failure& why) {
        BOOST_TEST((why.reason() == reason));
        BOOST_TEST(!why.todo().empty());
        return why.thing() + " | " + why.todo();
    }
    BOOST_ERROR("nothing was refused: " + toml);
    return {};
}

/// `toml` is refused, and the words hold `line:` and each of the parts.
void refused_at(const std::string& toml, int line, const std::vector<std::string>& parts) {
    const std::string words = refused(toml);
    const std::string place = "plugin.toml:" + std::to_string(line) + ":";
    BOOST_TEST(words.starts_with(place), words << ", not at " << place);
    for (const std::string& part : parts) {
        BOOST_TEST(words.find(part) != std::string::npos, words << ", without " << part);
    }
}

std::string refused_setting(const manifest& of, const std::string& given) {
    try {
        static_cast<void>(of.configure(given));
    } catch (const failure& why) {
        BOOST_TEST((why.reason() == errc::bad_setting));
        return why.thing() + " | " + why.todo();
    }
    BOOST_ERROR("nothing was refused: " + given);
    return {};
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

const std::string whole = R"(id = "org.example.yield-2"
version = "0.1.65535"
abi = "1.9"
kind = "tick"
state = 4294967295

[tick]
every = "90min"
missed = "skipped"

[capabilities]
commands = ["transfer", "mint", "event"]
debit = ["treasury", "bank of gold"]
read = ["stakes"]
emit = ["yield_paid"]
hosts = ["hooks.example.org:443"]

[capabilities.mint]
gold = 500
"ruby 2" = 9223372036854775807

[limits]
soft = "2s"
hard = "2s"
memory = "1GiB"

[config.rate]
type = "integer"
default = 5
min = -1
max = 100
unit = "percent"
reload = "live"

[config.greeting]
type = "text"
default = "hello \"you\""

[config.is_open]
type = "boolean"
default = true
)";

}  // namespace

BOOST_AUTO_TEST_SUITE(plugins_manifest)

BOOST_AUTO_TEST_CASE(each_key_is_read_as_it_was_written) {
    const manifest made = read(whole);
    BOOST_TEST(made.id == "org.example.yield-2");
    BOOST_TEST(made.version == "0.1.65535");
    BOOST_TEST(made.abi_major == 1U);
    BOOST_TEST(made.abi_minor == 9U);
    BOOST_TEST(made.state_version == 4'294'967'295U);
    BOOST_TEST(made.every_ns == 5'400'000'000'000U);
    BOOST_TEST((made.missed == plugins::missed_windows::skipped));
    BOOST_TEST(made.wants.commands == ((1U << 1U) | (1U << 2U) | (1U << 9U)));
    BOOST_TEST(made.wants.debit.contains("bank of gold"));
    BOOST_TEST(made.wants.mint.at("ruby 2") == 9'223'372'036'854'775'807);
    BOOST_TEST(made.limits.soft_ns == 2'000'000'000U);
    BOOST_TEST(made.limits.memory_bytes == 1U << 30U);
    BOOST_REQUIRE(made.options.size() == 3U);
    const auto& rate = made.options[2];
    BOOST_TEST(rate.name == "rate");
    BOOST_TEST(*rate.least == -1);
    BOOST_TEST(rate.unit == "percent");
    BOOST_TEST(rate.is_live);
    BOOST_TEST(!made.options[0].is_live);
}

BOOST_AUTO_TEST_CASE(the_example_of_the_page_is_taken_and_has_what_its_table_names) {
    const char* const source = std::getenv("PERDURE_SOURCE");
    BOOST_REQUIRE_MESSAGE(source != nullptr, "run through ctest, which sets PERDURE_SOURCE");
    std::ostringstream page;
    page << std::ifstream(std::string(source) + "/docs/formats/plugin_manifest.md").rdbuf();
    const std::string text = page.str();
    const std::size_t begin = text.find("```toml\n") + 8;
    const manifest made = read(text.substr(begin, text.find("```", begin) - begin));
    BOOST_TEST(made.id == "org.example.yield");
    BOOST_TEST(made.options.size() == 1U);
    for (std::uint32_t kind = 1; kind <= 9; ++kind) {
        const std::string name(plugins::command_name(kind));
        BOOST_TEST(text.find("`\"" + name + "\"`") != std::string::npos, name);
    }
    for (const char* key : {"id",
                            "version",
                            "abi",
                            "kind",
                            "state",
                            "tick.every",
                            "tick.missed",
                            "events.follow",
                            "capabilities.commands",
                            "capabilities.debit",
                            "capabilities.read",
                            "capabilities.emit",
                            "capabilities.hosts",
                            "capabilities.mint.CODE",
                            "limits.soft",
                            "limits.hard",
                            "limits.memory",
                            "config.NAME",
                            "config.NAME.type",
                            "config.NAME.default"}) {
        BOOST_TEST(text.find("| `" + std::string(key) + "` |") != std::string::npos, key);
    }
}

BOOST_AUTO_TEST_CASE(what_is_left_out_has_its_standard) {
    const manifest made = read(ticking);
    BOOST_TEST(made.state_version == 1U);
    BOOST_TEST((made.missed == plugins::missed_windows::each));
    BOOST_TEST((made.wants == capabilities{}));
    BOOST_TEST(made.limits.hard_ns == 1'000'000'000U);
    BOOST_TEST(made.limits.soft_ns == 50'000'000U);
    BOOST_TEST(made.limits.memory_bytes == 64U << 20U);
    BOOST_TEST((read(sinking).kind == plugins::plugin_kind::sink));
    BOOST_TEST(read(sinking).follow.empty());
}

BOOST_AUTO_TEST_CASE(a_key_that_nobody_knows_is_answered_with_the_nearest) {
    refused_at(ticking + "evry = 5\n", 7, {"tick.evry", "did you mean every?"});
    refused_at("nmae = 1\n" + ticking, 1, {"nmae"});
    refused_at(head + "kin = \"tick\"\n", 4, {"kin", "did you mean kind?"});
    refused_at(ticking + "[limits]\nhrad = \"1s\"\n", 8, {"limits.hrad", "hard?"});
    refused_at(ticking + "[capabilities]\ndebits = []\n", 8, {"capabilities.debits", "debit?"});
    refused_at(ticking + "[config.a]\ntyp = \"integer\"\n", 8, {"config.a.typ", "type?"});
    refused_at(ticking + "[zzzzzzzz]\n", 7, {"known here: id, version"});
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_named) {
    refused_at("", 1, {"id: is not there", "write id ="});
    refused_at("id = \"a.b\"\nabi = \"1.0\"\n", 1, {"version: is not there"});
    refused_at("id = \"a.b\"\nversion = \"1.0.0\"\n", 1, {"abi: is not there"});
    refused_at(head, 1, {"kind: is not there"});
    refused_at(tick_head, 1, {"needs [tick]", "every = \"10s\""});
    refused_at(tick_head + "[tick]\n", 5, {"tick.every: is not there"});
    refused_at(ticking + "[config.a]\ntype = \"integer\"\n", 7, {"config.a.default"});
    refused_at(ticking + "[config.a]\ndefault = 5\n", 7, {"config.a.type"});
}

BOOST_AUTO_TEST_CASE(values_outside_their_bounds_are_refused) {
    const std::string rest = "version = \"1.0.0\"\nabi = \"1.0\"\nkind = \"sink\"\n";
    for (const char* id : {"x", "nodots", "Org.example", "org..x", ".org.x", "org.x.", "9org.x",
                           "org.-x", "org.x y", "org.example.\\u00fc"}) {
        refused_at("id = \"" + std::string(id) + "\"\n" + rest, 1, {"id", "reverse domain name"});
    }
    const std::string long_id = "a." + std::string(62, 'b');
    refused_at("id = \"" + long_id + "\"\n" + rest, 1, {"3 to 63"});
    BOOST_TEST(read("id = \"" + long_id.substr(0, 63) + "\"\n" + rest).id.size() == 63U);
    for (const char* version : {"1.0", "1.0.0.0", "1.0.x", "01.0.0", "1.0.65536", "", "1.0.-1"}) {
        refused_at("id = \"a.b\"\nversion = \"" + std::string(version) + "\"\n", 2,
                   {"version", "three numbers"});
    }
    refused_at("id = \"a.b\"\nversion = \"1.0.0\"\nabi = \"1\"\n", 3, {"two numbers"});
    refused_at(head + "kind = \"tik\"\n", 4, {"kind = \"tik\"", "did you mean tick?"});
    refused_at(tick_head + "state = 0\n[tick]\nevery = \"1s\"\n", 5, {"1 to 4294967295"});
    for (const char* every : {"10", "0s", "1us", "367d", "-1s", "1.5s", "s", "", " 1s",
                              "99999999999999999999d", "18446744073709551615d"}) {
        refused_at(tick_head + "[tick]\nevery = \"" + every + "\"\n", 6, {"1ms to 366d"});
    }
    refused_at(ticking + "missed = \"all\"\n", 7, {"tick.missed", "each, merged or skipped"});
    refused_at(ticking + "[limits]\nsoft = \"0ms\"\n", 8, {"1ms to 10min"});
    refused_at(ticking + "[limits]\nhard = \"11min\"\n", 8, {"1ms to 10min"});
    refused_at(ticking + "[limits]\nmemory = \"1KiB\"\n", 8, {"1MiB to 64GiB"});
    refused_at(ticking + "[limits]\nmemory = \"65GiB\"\n", 8, {"1MiB to 64GiB"});
}

BOOST_AUTO_TEST_CASE(values_of_another_type_are_refused) {
    refused_at("id = 5\n", 1, {"id = 5", "text is wanted"});
    refused_at("id = [\"a.b\"]\n", 1, {"id is a list"});
    refused_at(tick_head + "state = \"1\"\n[tick]\nevery = \"1s\"\n", 5, {"without quotes"});
    refused_at(tick_head + "state = 1.0\n[tick]\nevery = \"1s\"\n", 5, {"whole number"});
    refused_at(tick_head + "tick = 5\n", 5, {"a table is wanted", "[tick]"});
    refused_at(ticking + "[capabilities]\nread = \"stakes\"\n", 8, {"a list is wanted"});
    refused_at(ticking + "[capabilities]\nread = [5]\n", 8, {"list of texts"});
    refused_at(ticking + "[config]\nrate = 5\n", 8, {"config.rate", "a table is wanted"});
    refused_at(ticking + "[config.a]\ntype = \"boolean\"\ndefault = 1\n", 9, {"true or false"});
    refused_at(ticking + "[config.a]\ntype = \"integer\"\ndefault = true\n", 9, {"whole number"});
    refused_at(ticking + "[config.a]\ntype = \"text\"\ndefault = 1\n", 9, {"text is wanted"});
    refused_at(ticking + "[[capabilities.mint]]\ngold = 5\n", 7, {"a table is wanted"});
}

BOOST_AUTO_TEST_CASE(lists_hold_names_that_can_be_and_none_twice) {
    const std::string list = ticking + "[capabilities]\n";
    refused_at(list + "commands = [\"tranfer\"]\n", 8, {"tranfer", "transfer, mint"});
    refused_at(list + "read = [\"a\", \"a\"]\n", 8, {"\"a\" stands there twice"});
    refused_at(list + "read = [\"\"]\n", 8, {"1 to 31 bytes"});
    refused_at(list + "read = [\"" + std::string(32, 'x') + "\"]\n", 8, {"1 to 31 bytes"});
    refused_at(list + "read = [\"a\\nb\"]\n", 8, {"\"a?b\""});
    for (const char* host : {"x", ":443", "x:0", "x:65536", "x:", "X:1", "a b:1", "x:01"}) {
        refused_at(list + "hosts = [\"" + std::string(host) + "\"]\n", 8, {"host and port"});
    }
    std::string many = "read = [";
    for (int i = 0; i < 65; ++i) many += "\"t" + std::to_string(i) + "\", ";
    refused_at(list + many + "]\n", 8, {"65 entries", "at most 64"});
    std::string options = ticking;
    for (int i = 0; i < 65; ++i) {
        options += "[config.k" + std::to_string(i) + "]\ntype = \"boolean\"\ndefault = true\n";
    }
    BOOST_TEST(holds(refused(options), "65 keys"));
    refused_at(head + "kind = \"events\"\n[events]\nfollow = []\n", 6, {"leave the key out"});
}

BOOST_AUTO_TEST_CASE(contradictions_are_refused) {
    const std::string list = ticking + "[capabilities]\n";
    refused_at(sinking + "[capabilities]\ncommands = [\"transfer\"]\n", 6,
               {"a sink posts nothing"});
    refused_at(list + "commands = [\"mint\"]\n", 8, {"\"mint\" without an asset"});
    refused_at(list + "mint = {gold = 5}\n", 8, {"\"mint\" is not among the commands"});
    refused_at(list + "commands = [\"mint\"]\nmint = {}\n", 8, {"\"mint\" without an asset"});
    refused_at(list + "commands = [\"mint\"]\nmint = {gold = 0}\n", 9, {"gold = 0", "1 to"});
    refused_at(list + "commands = [\"mint\"]\nmint = {abcdefghijklmnopq = 1}\n", 9, {"16 bytes"});
    refused_at(list + "commands = [\"event\"]\n", 8, {"\"event\" without a name"});
    refused_at(list + "emit = [\"paid\"]\n", 8, {"\"event\" is not among the commands"});
    refused_at(list + "commands = [\"burn\"]\ndebit = [\"x\"]\n", 9, {"neither \"transfer\""});
    refused_at(sinking + "[tick]\nevery = \"1s\"\n", 5, {"only a tick plugin has one"});
    refused_at(ticking + "[events]\n", 7, {"a tick plugin follows none"});
    refused_at(ticking + "[limits]\nsoft = \"2s\"\n", 8, {"limits.soft is above limits.hard"});
    refused_at(ticking + "[limits]\nhard = \"10ms\"\n", 8, {"limits.soft is above limits.hard"});
    const std::string option = ticking + "[config.a]\n";
    refused_at(option + "type = \"integer\"\ndefault = 5\nmin = 6\n", 9, {"6 to"});
    refused_at(option + "type = \"integer\"\ndefault = 5\nmin = 6\nmax = 5\n", 10, {"above max"});
    refused_at(option + "type = \"text\"\ndefault = \"\"\nmin = 1\n", 10, {"only an integer"});
    refused_at(ticking + "[config.\"A b\"]\ntype = \"boolean\"\n", 7, {"[a-z0-9_]"});
}

BOOST_AUTO_TEST_CASE(another_major_version_is_refused_as_such) {
    std::string other = sinking;
    other.replace(other.find("1.0\"\nkind"), 3, "2.0");
    const std::string words = refused(other, errc::wrong_abi);
    BOOST_TEST(holds(words, "abi 2.0, this host has 1.0"), words);
}

BOOST_AUTO_TEST_CASE(what_is_not_toml_or_too_much_is_refused) {
    refused_at("id = \n", 1, {"|"});
    refused_at("id = \"a.b\"\nid = \"a.c\"\n", 2, {"id"});
    refused_at("a = \"\xff\"\n", 1, {"|"});
    BOOST_TEST(holds(refused(sinking + std::string(65'536, '#')), "at most 65536 bytes"));
    // A key that nests so deep that freeing it by recursion would overrun the stack.
    std::string deep = "a";
    for (int i = 0; i < 30'000; ++i) deep += ".a";
    BOOST_TEST(holds(refused(deep + " = 1\n"), "1000 dots"));
    deep.resize(2001);
    BOOST_TEST(holds(refused(deep + " = 1\n"), "no such key"));
    std::string nested = "a = ";
    nested.append(30'000, '[');
    static_cast<void>(refused(nested));
    std::string tables = "a = ";
    for (int i = 0; i < 9000; ++i) tables += "{a=";
    static_cast<void>(refused(tables));
}

BOOST_AUTO_TEST_CASE(canonical_text_is_the_same_for_the_same_capabilities_alone) {
    const std::string list = ticking + "[capabilities]\n";
    const auto of = [&](const std::string& toml) { return read(list + toml).wants.canonical(); };
    BOOST_TEST(of("read = [\"a\", \"b\"]\n") == of("read = [\"b\", \"a\"]\n"));
    BOOST_TEST(of("read = [\"a\"]\nhosts=[\"b:1\"]\n") == of("hosts=[\"b:1\"]\nread = [\"a\"]\n"));
    std::set<std::string> texts;
    const std::vector<std::string> different{"",
                                             "read = [\"a\"]\n",
                                             "read = [\"a\", \"b\"]\n",
                                             "read = [\"a 1 b\"]\n",
                                             "commands = [\"transfer\"]\n",
                                             "commands = [\"burn\"]\n",
                                             "commands = [\"transfer\"]\ndebit = [\"a\"]\n",
                                             "commands = [\"mint\"]\nmint = {a = 1}\n",
                                             "commands = [\"mint\"]\nmint = {a = 2}\n",
                                             "commands = [\"mint\"]\nmint = {a = 1, b = 1}\n",
                                             "hosts = [\"a:1\"]\n",
                                             "commands = [\"event\"]\nemit = [\"a\"]\n"};
    for (const std::string& each : different) texts.insert(of(each));
    BOOST_TEST(texts.size() == different.size());
}

BOOST_AUTO_TEST_CASE(beyond_names_what_was_not_granted) {
    const capabilities wants = read(whole).wants;
    BOOST_TEST(wants.beyond(wants).empty());
    BOOST_TEST(capabilities{}.beyond(wants).empty());
    BOOST_TEST(wants.beyond({}).size() == 3U + 2 + 1 + 1 + 1 + 2);

    capabilities granted = wants;
    granted.mint["gold"] = 499;
    granted.commands &= ~(1U << 1U);
    granted.debit.erase("treasury");
    const auto words = wants.beyond(granted);
    BOOST_REQUIRE(words.size() == 3U);
    BOOST_TEST(words[0] == "post transfer");
    BOOST_TEST(words[1] == "take from account treasury");
    BOOST_TEST(words[2] == "mint up to 500 minor units of gold a window, 499 granted");
    granted.mint["gold"] = 501;
    BOOST_TEST(wants.beyond(granted).size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_configuration_is_the_standard_and_what_was_given) {
    const manifest of = read(whole);
    const auto standard = boost::json::parse(of.configure("")).as_object();
    BOOST_TEST(standard.at("rate").as_int64() == 5);
    BOOST_TEST(standard.at("is_open").as_bool());
    BOOST_TEST(standard.at("greeting").as_string() == "hello \"you\"");
    BOOST_TEST(of.configure("{}") == of.configure(""));
    const auto given =
        boost::json::parse(of.configure(R"({"rate": -1, "is_open": false})")).as_object();
    BOOST_TEST(given.size() == 3U);
    BOOST_TEST(given.at("rate").as_int64() == -1);
    BOOST_TEST(!given.at("is_open").as_bool());
}

BOOST_AUTO_TEST_CASE(a_configuration_that_breaks_a_rule_is_refused_by_key) {
    const manifest of = read(whole);
    BOOST_TEST(holds(refused_setting(of, R"({"rat": 5})"),
                     "rat: the plugin has no such key | did "
                     "you mean rate?"));
    for (const char* rate :
         {"101", "-2", "5.0", "\"5\"", "true", "null", "[5]", "18446744073709551615", "1e400"}) {
        const std::string words = refused_setting(of, "{\"rate\": " + std::string(rate) + "}");
        BOOST_TEST((holds(words, "rate") || holds(words, "no JSON")), words);
    }
    BOOST_TEST(holds(refused_setting(of, R"({"rate": 101})"), "from -1 to 100 (percent)"));
    BOOST_TEST(holds(refused_setting(of, R"({"is_open": 1})"), "true or false"));
    BOOST_TEST(holds(refused_setting(of, R"({"greeting": 1})"), "a text is wanted"));
    BOOST_TEST(holds(refused_setting(of, "[]"), "object"));
    BOOST_TEST(holds(refused_setting(of, "{"), "not JSON"));
    BOOST_TEST(holds(refused_setting(of, std::string(65'537, ' ')), "65536"));
}

BOOST_AUTO_TEST_CASE(names_of_commands_go_both_ways) {
    for (std::uint32_t kind = 1; kind <= 9; ++kind) {
        BOOST_TEST(plugins::command_named(plugins::command_name(kind)) == kind);
    }
    BOOST_TEST(plugins::command_named("") == 0U);
    BOOST_TEST(plugins::command_name(12).empty());
}

BOOST_AUTO_TEST_SUITE_END()

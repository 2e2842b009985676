// SPDX-License-Identifier: Apache-2.0
//
// Claim: whatever a file holds, an import reads it to its end and says of each line what it means
// or why it means nothing; only a file that cannot be read at all is refused. The first line of an
// input is the --columns, the second --where and --reverse, the rest the file.
#include <perdure/apps/import/plan.hpp>
#include <perdure/tests/fuzz/target.hpp>

using namespace perdure;

namespace {

std::string_view take_line(std::string_view& rest) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 1));
    return line;
}

void must(bool holds) {
    if (!holds) std::abort();
}

void read(const std::string& path, const apps::line_rules& rules) {
    apps::csv_reader reader(path);
    if (!reader.next()) return;
    const apps::line_parser parser(rules, reader);
    apps::import_line line;
    std::uint64_t lines = 0;
    std::uint64_t last = 0;
    while (reader.next()) {
        ++lines;
        must(reader.line() > last);
        last = reader.line();
        parser.parse(reader, line);
        if (line.left_out || !line.malformed.empty()) continue;
        must(!line.payee.name.empty() && line.payee.name.size() <= 40);
        must(line.payee.opening.value_or(0) >= 0 && line.payer.opening.value_or(0) >= 0);
        must(!rules.is_signed || line.value >= 0);
    }
    const apps::file_survey seen = apps::survey(path, rules);
    must(seen.lines == lines && seen.last_line == last);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    static const tests::memory_file file;
    std::string_view rest(reinterpret_cast<const char*>(bytes), count);
    apps::line_rules rules;
    const auto columns = take_line(rest);
    auto conditions = take_line(rest);
    rules.accounts = columns.starts_with('!');
    rules.columns = columns.substr(rules.accounts ? 1 : 0);
    const auto semicolon = std::min(conditions.find(';'), conditions.size());
    rules.where = conditions.substr(0, semicolon);
    conditions.remove_prefix(std::min(conditions.size(), semicolon + 1));
    rules.reverse = conditions;
    rules.is_signed = count % 2 != 0;
    rules.scale = static_cast<int>(count % 19);
    rules.shift = static_cast<int>(count % 25);
    file.fill(rest.data(), rest.size());
    try {
        read(file.path(), rules);
    } catch (const failure&) {
        // A packed file that is none, words that mean nothing, sums beyond 64 bits.
    }
    return 0;
}

std::vector<std::string> tests::seeds() {
    return {
        "from=a,to=b,amount=n\n\na,b,n\nann,bob,1.50\n\"x,\"\"y\",bob,3\r\nann,bob,1e3\n",
        "from==c-{a},to==t-{b}/{a},amount=n*m,time=t\nk=buy|sell;k=sell\n"
        "t,k,a,b,n,m\n1,buy,1,2,3.5,4\n2,sell,1,2,-3,\n0,lost,,,,\n",
        "from==pool,to=b,amount=n,opening_to=o,after_to=p\n\n"
        "b,n,o,p\nme,1000000000000000000000001,0,1000000000000000000000001\nme,-1,5,4\n",
        "!name=n,kind=k,balance=b\nk=player\nn,k,b\nann,player,1\nbob,,2\neve,duck,-1\n",
        "from=a,to=b,amount=n\n\n\xef\xbb\xbf"
        "a,b,n\n\"open\n1,2,3",
        std::string("from=a,to=b,amount=n\n\n\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00", 32) + "a,b,n\n",
    };
}

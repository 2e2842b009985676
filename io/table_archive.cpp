// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/table_archive.hpp>

#define ZSTD_STATIC_LINKING_ONLY  // For ZSTD_c_literalCompressionMode alone.
#include <zstd.h>

#include <algorithm>
#include <cereal/archives/portable_binary.hpp>
#include <cereal/types/common.hpp>
#include <cstring>
#include <new>
#include <streambuf>

#include <perdure/io/plane.hpp>
#include <perdure/shm/crash_point.hpp>
#include <perdure/shm/crc32c.hpp>

namespace perdure::io {

namespace {

constexpr std::size_t name_bytes_max = 64;

/// A text of bounded length, whatever the archive says.
template <class Archive>
void put_text(Archive& archive, std::string& text) {
    cereal::size_type count = text.size();
    archive(cereal::make_size_tag(count));
    if (count > name_bytes_max) throw cereal::Exception("a name that is too long");
    text.resize(count);
    archive(cereal::binary_data(text.data(), text.size()));
}

/// The same for a list, whose elements `put` takes care of.
template <class Archive, class List, class Put>
void put_list(Archive& archive, List& list, std::size_t count_max, Put&& put) {
    cereal::size_type count = list.size();
    archive(cereal::make_size_tag(count));
    if (count > count_max) throw cereal::Exception("a list that is too long");
    list.resize(count);
    for (auto& each : list) put(each);
}

/// The parts of a schema; their order is the format.
template <class Archive>
void put_schema(Archive& archive, stored_schema& each) {
    auto& shape = each.shape;
    archive(each.number, each.header.lsn, each.header.generation, each.header.live);
    put_text(archive, shape.name);
    archive(shape.version, shape.row_bytes, shape.flags, shape.key_at);
    archive(each.index, each.overflow, each.heap);
    put_list(archive, shape.fields, shm::fields_max, [&](shm::field& field) {
        put_text(archive, field.name);
        archive(field.type, field.offset, field.bytes, field.flags, field.group_offset);
    });
    put_list(archive, shape.indexes, shm::indexes_max, [&](shm::ordered_index& index) {
        put_list(archive, index, shm::index_fields_max, [&](auto& number) { archive(number); });
    });
    put_list(archive, each.nodes, shm::indexes_max, [&](auto& number) { archive(number); });
}

}  // namespace
}  // namespace perdure::io

namespace perdure::io {
namespace {

constexpr std::uint32_t word = sizeof(std::uint64_t);
constexpr std::uint32_t column_bytes_max = 64;  // Above, values are texts and not numbers.
constexpr std::size_t schemas_max = shm::table_count;

/// A stream buffer at the end of a vector.
class vector_buffer final : public std::streambuf {
  public:
    explicit vector_buffer(std::vector<char>& into) : into_(&into) {}

  protected:
    std::streamsize xsputn(const char* from, std::streamsize count) override {
        into_->insert(into_->end(), from, from + count);
        return count;
    }
    int_type overflow(int_type one) override {
        into_->push_back(static_cast<char>(one));
        return one;
    }

  private:
    std::vector<char>* into_;
};

/// A stream buffer over what is there.
class span_buffer final : public std::streambuf {
  public:
    explicit span_buffer(std::vector<char>& over) {
        setg(over.data(), over.data(), over.data() + over.size());
    }
    [[nodiscard]] bool is_at_end() const noexcept { return gptr() == egptr(); }
};

std::uint32_t checksum(const section_header& header) noexcept {
    return shm::crc32c(std::as_bytes(std::span(&header, 1)).first(offsetof(section_header, crc)));
}

}  // namespace

std::string_view why_broken(const section_header& header) noexcept {
    if (header.magic != section_magic) return "no section begins here";
    if (header.crc != checksum(header)) return "the checksum of the section header is wrong";
    const auto kind = static_cast<section_kind>(header.kind);
    if (header.reserved != 0 || (kind != section_kind::schemas && kind != section_kind::rows)) {
        return "a section of an unknown kind";
    }
    if (header.raw_bytes > section_raw_bytes_max || header.rows > header.raw_bytes ||
        header.first_row > header.last_row || header.table >= shm::table_count) {
        return "impossible numbers in the section header";
    }
    return {};
}

result<shm::schema_row> row_of(const stored_schema& from) noexcept {
    PERDURE_TRY(from.shape.validate());
    if (from.nodes.size() != from.shape.indexes.size()) return errc::bad_schema;
    shm::schema_row row = shm::to_row(from.shape);
    row.header = from.header;
    row.index = from.index;
    row.overflow = from.overflow;
    row.heap = from.heap;
    for (std::size_t i = 0; i < from.nodes.size(); ++i) row.indexes[i].nodes = from.nodes[i];
    return row;
}

result<stored_schema> schema_of(std::uint32_t number, const shm::schema_row& row) {
    stored_schema out{
        number, row.header, PERDURE_TRY(shm::from_row(row)), row.index, row.overflow, row.heap, {}};
    for (std::size_t i = 0; i < out.shape.indexes.size(); ++i) {
        out.nodes.push_back(row.indexes[i].nodes);
    }
    // The same fact from the other side: nothing of the row may be lost.
    const auto again = PERDURE_TRY(row_of(out));
    if (std::memcmp(&again, &row, sizeof row) != 0) return errc::bad_schema;
    return out;
}

namespace {

/// Every field at its old place: nothing of a row moves.
bool lies_alike(const shm::schema& stored, const shm::schema& wanted) {
    const auto same = [](const shm::field& one, const shm::field& other) {
        return one.name == other.name && one.offset == other.offset && one.bytes == other.bytes;
    };
    return stored.row_bytes == wanted.row_bytes &&
           std::ranges::equal(stored.fields, wanted.fields, same);
}

}  // namespace

row_plan::row_plan(const shm::schema& stored, const shm::schema& wanted)
    : stored_bytes_(stored.row_bytes), wanted_bytes_(wanted.row_bytes) {
    std::vector<bool> named(stored.row_bytes, false);
    for (const auto& field : stored.fields) {
        std::fill_n(named.begin() + field.offset, field.bytes, true);
        std::uint32_t to = nowhere;
        for (const auto& other : wanted.fields) {
            if (other.name != field.name) continue;
            if (other.type == field.type && other.bytes == field.bytes) to = other.offset;
        }
        if (planted(shm::bug::fields_by_place)) to = field.offset;
        add(field, to);
    }
    // What no field names goes along as it is, where nothing has moved: else a field may lie there.
    const bool same = lies_alike(stored, wanted);
    for (std::uint32_t at = sizeof(shm::row_header); at < stored.row_bytes; ++at) {
        if (named[at]) continue;
        std::uint32_t end = at;
        while (end < stored.row_bytes && !named[end]) ++end;
        columns_.push_back({at, same ? at : nowhere, end - at, true});
        at = end;
    }
}

void row_plan::add(const shm::field& field, std::uint32_t to) {
    const bool is_long = field.bytes > column_bytes_max;
    const std::uint32_t step = is_long ? field.bytes : word;
    for (std::uint32_t done = 0; done < field.bytes; done += step) {
        columns_.push_back({field.offset + done, to == nowhere ? nowhere : to + done,
                            std::min<std::uint32_t>(step, field.bytes - done), is_long});
    }
}

table_archive::table_archive()
    : of_words_(ZSTD_createCCtx()), of_texts_(ZSTD_createCCtx()), unpacking_(ZSTD_createDCtx()) {
    if (!of_words_ || !of_texts_ || !unpacking_) throw std::bad_alloc();
    const auto set = [](ZSTD_CCtx_s& context, ZSTD_cParameter parameter, int value) {
        PERDURE_ASSERT(ZSTD_isError(ZSTD_CCtx_setParameter(&context, parameter, value)) == 0);
    };
    set(*of_words_, ZSTD_c_compressionLevel, 1);
    set(*of_words_, ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
    set(*of_texts_, ZSTD_c_compressionLevel, 1);
}

table_archive::~table_archive() = default;

void table_archive::free_contexts::operator()(ZSTD_CCtx_s* context) const noexcept {
    ZSTD_freeCCtx(context);
}

void table_archive::free_contexts::operator()(ZSTD_DCtx_s* context) const noexcept {
    ZSTD_freeDCtx(context);
}

/// A column of numbers as byte planes: what the values share lies together.
template <class Archive>
void table_archive::put_words(Archive& to, const row_batch& batch, std::uint32_t row_bytes,
                              const row_plan::column& from) {
    const std::size_t count = batch.numbers.size();
    std::fill(words_.begin() + static_cast<std::ptrdiff_t>(count), words_.end(), 0);
    const std::byte* at = batch.rows.data() + from.from;
    for (std::size_t i = 0; i < count; ++i, at += row_bytes) {
        std::uint64_t value = 0;
        std::memcpy(&value, at, from.bytes);
        words_[i] = value;
    }
    static_cast<void>(split(words_, planes_.data()));
    to(cereal::binary_data(planes_.data(), planes_.size()));
}

void table_archive::pack(section_header header, const row_plan& plan, const row_batch& batch,
                         std::vector<std::byte>& into) {
    const std::size_t count = batch.numbers.size();
    PERDURE_ASSERT(count != 0 && batch.rows.size() == count * plan.stored_bytes());
    const std::size_t stride = plane_stride(count);
    words_.assign(stride, 0);
    planes_.resize(stride * word);
    raw_.clear();
    raw_.reserve(batch.rows.size() + batch.rows.size() / 4 + 4096);
    vector_buffer buffer(raw_);
    std::ostream stream(&buffer);
    cereal::PortableBinaryOutputArchive archive(stream);
    archive(static_cast<std::uint64_t>(count));
    std::copy(batch.numbers.begin(), batch.numbers.end(), words_.begin());
    static_cast<void>(split(words_, planes_.data()));
    archive(cereal::binary_data(planes_.data(), planes_.size()));
    for (const std::uint32_t at : {0U, word}) {  // The row's header: LSN; generation and live.
        put_words(archive, batch, plan.stored_bytes(), {at, at, word, false});
    }
    bool is_text = false;
    for (const auto& column : plan.columns()) {
        if (!column.is_long) {
            put_words(archive, batch, plan.stored_bytes(), column);
            continue;
        }
        is_text = is_text || column.bytes > column_bytes_max;
        for (std::size_t i = 0; i < count; ++i) {
            archive(cereal::binary_data(batch.rows.data() + i * plan.stored_bytes() + column.from,
                                        column.bytes));
        }
    }
    header.kind = static_cast<std::uint16_t>(section_kind::rows);
    header.rows = count;
    header.first_row = batch.numbers.front();
    header.last_row = batch.numbers.back();
    seal(header, is_text, into);
}

void table_archive::pack(section_header header, std::span<const stored_schema> schemas,
                         std::vector<std::byte>& into) {
    raw_.clear();
    vector_buffer buffer(raw_);
    std::ostream stream(&buffer);
    cereal::PortableBinaryOutputArchive archive(stream);
    std::vector<stored_schema> list(schemas.begin(), schemas.end());
    put_list(archive, list, schemas_max, [&](stored_schema& each) { put_schema(archive, each); });
    header.kind = static_cast<std::uint16_t>(section_kind::schemas);
    header.rows = schemas.size();
    seal(header, true, into);
}

/// Packs the archive behind a header.
void table_archive::seal(section_header header, bool is_text, std::vector<std::byte>& into) {
    PERDURE_ASSERT(raw_.size() <= section_raw_bytes_max);
    into.resize(sizeof header + ZSTD_compressBound(raw_.size()));
    auto& packing = is_text ? *of_texts_ : *of_words_;
    const std::size_t stored =
        ZSTD_compress2(&packing, into.data() + sizeof header, into.size() - sizeof header,
                       raw_.data(), raw_.size());
    PERDURE_ASSERT(ZSTD_isError(stored) == 0);
    into.resize(sizeof header + stored);
    header.magic = section_magic;
    header.raw_bytes = static_cast<std::uint32_t>(raw_.size());
    header.stored_bytes = static_cast<std::uint32_t>(stored);
    header.payload_crc = shm::crc32c(std::span(into).subspan(sizeof header));
    header.crc = checksum(header);
    PERDURE_ASSERT(why_broken(header).empty());
    std::memcpy(into.data(), &header, sizeof header);
}

result<> table_archive::open(const section_header& header, std::span<const std::byte> payload) {
    if (!why_broken(header).empty() || payload.size() != header.stored_bytes ||
        shm::crc32c(payload) != header.payload_crc) {
        return errc::damaged;
    }
    raw_.resize(header.raw_bytes);
    const std::size_t got = ZSTD_decompressDCtx(unpacking_.get(), raw_.data(), raw_.size(),
                                                payload.data(), payload.size());
    if (ZSTD_isError(got) != 0 || got != raw_.size()) return errc::damaged;
    return {};
}

result<> table_archive::unpack(const section_header& header, std::span<const std::byte> payload,
                               const row_plan& plan, row_batch& into) {
    PERDURE_TRY(open(header, payload));
    const std::uint64_t count = header.rows;
    if (static_cast<section_kind>(header.kind) != section_kind::rows || count == 0 ||
        count > header.raw_bytes / plan.stored_bytes()) {
        return errc::damaged;
    }
    const std::size_t stride = plane_stride(count);
    words_.assign(stride, 0);
    planes_.resize(stride * word);
    into.numbers.resize(count);
    into.rows.assign(count * plan.wanted_bytes(), std::byte{0});
    span_buffer buffer(raw_);
    std::istream stream(&buffer);
    try {
        cereal::PortableBinaryInputArchive archive(stream);
        std::uint64_t told = 0;
        archive(told);
        if (told != count) return errc::damaged;
        const auto get_words = [&](const row_plan::column& column) {
            archive(cereal::binary_data(planes_.data(), planes_.size()));
            if (column.to == row_plan::nowhere) return;
            join(planes_.data(), words_);
            std::byte* at = into.rows.data() + column.to;
            for (std::size_t i = 0; i < count; ++i, at += plan.wanted_bytes()) {
                std::memcpy(at, &words_[i], column.bytes);
            }
        };
        archive(cereal::binary_data(planes_.data(), planes_.size()));
        join(planes_.data(), words_);
        std::copy_n(words_.begin(), count, into.numbers.begin());
        for (const std::uint32_t at : {0U, word}) get_words({at, at, word, false});
        std::vector<std::byte> unwanted;
        for (const auto& column : plan.columns()) {
            if (!column.is_long) {
                get_words(column);
                continue;
            }
            unwanted.resize(column.bytes);
            for (std::size_t i = 0; i < count; ++i) {
                std::byte* to = column.to == row_plan::nowhere
                                    ? unwanted.data()
                                    : into.rows.data() + i * plan.wanted_bytes() + column.to;
                archive(cereal::binary_data(to, column.bytes));
            }
        }
    } catch (const cereal::Exception&) {
        return errc::damaged;
    }
    const bool ascends = std::adjacent_find(into.numbers.begin(), into.numbers.end(),
                                            std::greater_equal<>()) == into.numbers.end();
    if (!buffer.is_at_end() || !ascends || into.numbers.front() != header.first_row ||
        into.numbers.back() != header.last_row) {
        return errc::damaged;
    }
    return {};
}

result<std::vector<stored_schema>> table_archive::unpack_schemas(
    const section_header& header, std::span<const std::byte> payload) {
    PERDURE_TRY(open(header, payload));
    if (static_cast<section_kind>(header.kind) != section_kind::schemas ||
        header.rows > schemas_max) {
        return errc::damaged;
    }
    span_buffer buffer(raw_);
    std::istream stream(&buffer);
    std::vector<stored_schema> out;
    try {
        cereal::PortableBinaryInputArchive archive(stream);
        put_list(archive, out, schemas_max, [&](auto& each) { put_schema(archive, each); });
    } catch (const cereal::Exception&) {
        return errc::damaged;
    }
    if (!buffer.is_at_end() || out.size() != header.rows) return errc::damaged;
    for (const auto& each : out) {
        if (!row_of(each)) return errc::damaged;
    }
    return out;
}

}  // namespace perdure::io

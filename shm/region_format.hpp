// SPDX-License-Identifier: Apache-2.0
//
// FORMAT the region: header, participant slots, stripes, ring, table directory, pages.
//
//   0              region_header, one page
//   slots_at       slots x slot_bytes: a slot_control page, the held list, the undo area
//   stripes_at     stripe_count lock words of 8 bytes
//   ring_at        ring_bytes, a power of two
//   tables_at      table_count x table_descriptor
//   pages_at       pages of 4096 bytes, numbered from 0; page 0 is never handed out
//   dirty_at       behind capacity_bytes, what captures need (capture_format.hpp)
//
// Invariants  G1 every offset is a multiple of 4096 and ascends in the order above.
//             G2 the magic is stored last, with release: who sees it sees a whole header.
//             G3 committed_bytes never shrinks and never passes capacity_bytes.
//             G4 page_next only moves inside a transaction.
// Format      docs/formats/region.md
#pragma once

#include <pthread.h>

#include <array>
#include <perdure/shm/capture_format.hpp>
#include <perdure/shm/record_format.hpp>

namespace perdure::shm {

inline constexpr std::uint64_t region_magic = 0x4e47455244524550;  // "PERDREGN"
inline constexpr std::uint32_t region_format_version = 2;
inline constexpr std::uint32_t page_bytes = 4096;
inline constexpr std::uint32_t cache_line = 64;
inline constexpr std::uint32_t stripe_count = 1U << 16;
inline constexpr std::uint32_t table_count = 240;
inline constexpr std::uint32_t slot_count_max = 1024;
inline constexpr std::uint32_t held_max = 8192;    ///< Stripes one transaction may hold.
inline constexpr std::uint32_t extent_pages = 32;  ///< Tables grow by 128 KiB.
inline constexpr std::uint64_t no_claim = ~0ULL;
inline constexpr std::uint64_t slot_fenced = 2;  ///< `active` of a slot whose undo was garbled.

/// A word that one writer class owns, alone on its cache line.
struct lonely_word {
    std::uint64_t value;
    std::array<std::uint64_t, 7> reserved;
};
static_assert(mapped<lonely_word> && sizeof(lonely_word) == cache_line);

/// What never changes after creation. The checksum covers this struct up to itself.
struct region_geometry {
    std::uint32_t format;
    std::uint32_t header_bytes;
    std::uint64_t layout;  ///< layout_signature() of the creator's build.
    std::array<std::uint64_t, 2> world;
    std::array<std::uint64_t, 2> boot;
    std::uint64_t generation;   ///< Regions this world has had before, plus one.
    std::uint64_t incarnation;  ///< Raised at every recovery; part of every receipt.
    std::uint64_t capacity_bytes;
    std::uint64_t slot_bytes;
    std::uint64_t undo_bytes;
    std::uint64_t ring_bytes;
    std::uint64_t slots_at;
    std::uint64_t stripes_at;
    std::uint64_t ring_at;
    std::uint64_t tables_at;
    std::uint64_t pages_at;
    std::uint64_t dirty_at;    ///< The end of the pages: capacity_bytes.
    std::uint64_t capture_at;  ///< Behind two bitmaps of equal length.
    std::uint64_t shadow_at;
    std::uint64_t shadow_pages_max;
    std::uint32_t slot_count;
    std::uint32_t crc;
};
static_assert(mapped<region_geometry> && sizeof(region_geometry) == 176);

/// Ring lock and tail share a line: a claim touches both.
struct ring_producer {
    std::uint64_t lock;  ///< Slot number + 1 of the claimer, 0 when free.
    std::uint64_t tail;  ///< Position of the next record; never wraps.
    std::array<std::uint64_t, 6> reserved;
};
static_assert(mapped<ring_producer> && sizeof(ring_producer) == cache_line);

struct durable_mark {
    std::uint64_t lsn;  ///< Every record up to it survives power loss.
    std::uint32_t sleepers;
    std::uint32_t failed;  ///< errc that froze the mark, 0 while all is well.
    std::uint64_t failed_errno;
    std::uint32_t refusing;    ///< errc that nothing becomes durable for at the moment, or 0.
    std::uint32_t room;        ///< room_state of the disk, 0 while nobody has looked.
    std::uint64_t free_bytes;  ///< Of the disk, when that was looked at.
    std::uint64_t rotten;      ///< Damaged places of the files that scrubbing knows of.
    std::array<std::uint64_t, 2> reserved;
};
static_assert(mapped<durable_mark> && sizeof(durable_mark) == cache_line);

/// The keeper's sign: who drains, and whether it sleeps.
struct keeper_mark {
    std::uint64_t epoch;  ///< Fencing: raised at every takeover of the lease.
    std::uint32_t slot;   ///< Slot number + 1 of the keeper, 0 when none has signed.
    std::uint32_t bell;   ///< Futex the keeper sleeps on; ringing it adds one.
    std::uint32_t sleeping;
    std::uint32_t pid;
    std::array<std::uint64_t, 5> reserved;
};
static_assert(mapped<keeper_mark> && sizeof(keeper_mark) == cache_line);

/// Counters any process may read, also after a crash.
struct region_counters {
    std::uint64_t repairs;
    std::uint64_t repairs_undone;  ///< Repairs that rolled a transaction back.
    std::uint64_t gate_waits_ns_max;
    std::uint64_t garbled;
    std::uint64_t last_error;  ///< errc of the last broken structure that was fenced.
    std::array<std::uint64_t, 3> reserved;
};
static_assert(mapped<region_counters> && sizeof(region_counters) == cache_line);

struct region_header {
    std::uint64_t magic;
    std::array<std::uint64_t, 7> reserved_front;
    region_geometry geometry;
    std::array<std::uint64_t, 2> reserved_geometry;
    lonely_word committed_bytes;
    lonely_word gate;  ///< Slot number + 1 of its closer, 0 = open.
    ring_producer producer;
    lonely_word head;  ///< Below it ring space may be reused.
    durable_mark durable;
    keeper_mark keeper;
    region_counters counters;
    lonely_word page_next;  ///< First page never handed out.
    lonely_word world_time;
    capture_mark capture;
    lonely_word capture_cursor;  ///< Pages below it have been copied.
    lonely_word shadow_next;     ///< Shadow pages handed out in this capture; may pass the count.
    capture_counters captures;
    checkpoint_mark checkpoint;
    std::array<std::uint64_t, 368> reserved_back;
};
static_assert(mapped<region_header> && sizeof(region_header) == page_bytes);
static_assert(offsetof(region_header, geometry) == 64);
static_assert(offsetof(region_header, committed_bytes) == 256);
static_assert(offsetof(region_header, producer) % cache_line == 0);

/// Row numbers a participant has been given and not used yet: half open.
struct fresh_rows {
    std::uint64_t next;
    std::uint64_t end;
};
static_assert(mapped<fresh_rows> && sizeof(fresh_rows) == 16);

/// The life lock is glibc's; its bytes are nobody's business but pthread's, and no file keeps them.
struct life_lock {
    alignas(8) std::array<std::uint64_t, 8> bytes;
};
static_assert(mapped<life_lock> && sizeof(life_lock) == cache_line);
static_assert(sizeof(pthread_mutex_t) <= sizeof(life_lock));

/// One writing thread. `active`, `claim`, `undo_used` and `held` are the protocol's words.
struct slot_control {
    life_lock life;
    std::uint64_t active;     ///< 1 from before the first stripe or claim until all is given back;
                              ///< slot_fenced for as long as this region lives.
    std::uint64_t claim;      ///< Ring position of an unresolved record, no_claim when none.
    std::uint64_t undo_used;  ///< Bytes of whole undo entries; 0 makes the undo void.
    std::uint64_t held;       ///< Entries of the held list that may be held.
    std::uint64_t pid;
    std::uint64_t thread;
    std::uint64_t joined_ns;
    std::uint64_t commits;
    lonely_word bell;                           ///< Reserved for waits on this slot.
    std::array<fresh_rows, table_count> fresh;  ///< By table.
    std::array<std::uint64_t, 8> reserved;
};
static_assert(mapped<slot_control> && sizeof(slot_control) == page_bytes);
static_assert(offsetof(slot_control, active) == 64);

/// Before-image of `bytes` bytes at region offset `at`; followed by the image and by a trailer word
/// that repeats the entry's whole length, so that the log is walked backwards.
struct undo_entry {
    std::uint64_t at;
    std::uint32_t bytes;
    std::uint32_t check;  ///< low half of at ^ bytes ^ undo_check: a garbled entry is not followed.
};
static_assert(mapped<undo_entry> && sizeof(undo_entry) == 16);
inline constexpr std::uint32_t undo_check = 0x4f444e55;  // "UNDO"

/// Every row begins with it. `lsn` is word 0: the record of the last change.
struct row_header {
    std::uint64_t lsn;
    std::uint32_t generation;  ///< Raised when the row is freed.
    std::uint32_t live;        ///< 1 or 0.
};
static_assert(mapped<row_header> && sizeof(row_header) == 16);

/// A row that is not live: the words behind its header are not part of its logical image.
struct freed_row {
    row_header header;
    std::uint64_t free_link;  ///< Row + 1 of the next freed row, 0 = last.
};
static_assert(mapped<freed_row> && sizeof(freed_row) == 24);

enum class table_state : std::uint32_t { empty = 1, ready = 2 };

/// A primary bucket or an overflow bucket of a hash index: one cache line.
struct bucket {
    std::uint32_t level;     ///< Responsible for hashes whose low `level` bits are its number.
    std::uint32_t overflow;  ///< Row + 1 of the next bucket of the chain, 0 = none.
    std::array<std::uint64_t, 7> entries;  ///< {tag:16, row + 1:48}, 0 = empty.
};
static_assert(mapped<bucket> && sizeof(bucket) == cache_line);

/// A node of an ordered index: a row of a derived table; row 0 is the root and stays it. Zeros are
/// an empty root leaf. The words are: the low bound, the high bound (void where there is no right
/// neighbour), then the entries. An entry is a key, in an inner node with its child's number
/// behind it; a key's last word is the row number.
struct tree_node {
    std::uint32_t state;      ///< node_state; the root may also say 0.
    std::uint16_t level;      ///< 0 = leaf.
    std::uint16_t count;      ///< Entries.
    std::uint64_t right;      ///< Number of the right neighbour on its level, 0 = none.
    std::uint64_t free_link;  ///< As in freed_row.
    std::array<std::uint64_t, 125> words;
};
static_assert(mapped<tree_node> && sizeof(tree_node) == 1024);
static_assert(offsetof(tree_node, free_link) == offsetof(freed_row, free_link));

enum class node_state : std::uint32_t { used = 1, freed = 2 };

/// Where a table's rows are. Derived: rebuilt at recovery, never journaled.
struct table_descriptor {
    std::uint32_t state;  ///< table_state
    std::uint32_t row_bytes;
    std::uint64_t row_high;   ///< Rows handed out so far; a hash table's bucket count.
    std::uint32_t root_page;  ///< 1024 leaf page numbers, 0 = none.
    std::uint32_t flags;      ///< table_flag bits of the schema.
    std::uint32_t rows_per_page;
    std::uint32_t index;       ///< Table number of the bucket table, 0 = no hash index.
    std::uint64_t free_head;   ///< Row + 1 of the first freed row, linked through free_link.
    std::uint32_t overflow;    ///< For a bucket table: the table of overflow buckets.
    std::uint32_t key_at;      ///< Byte offset of the 16-byte primary key in a row; 0 = none.
    std::uint64_t page_magic;  ///< ceil(2^64 / rows_per_page), 0 when one row fills a page.
    std::array<std::uint64_t, 25> reserved;
};
static_assert(mapped<table_descriptor> && sizeof(table_descriptor) == 256);

}  // namespace perdure::shm

// SPDX-License-Identifier: Apache-2.0
// Facts about data: their text, what exists by them, what breaks them, and random data that keep them.
#include "runtime/FactData.h"
#include "runtime/RandomData.h"
#include "runtime/RunArguments.h"
#include "test/unit/Samples.h"
#include "test/unit/Test.h"

#include <cmath>
#include <filesystem>
#include <set>
#include <unistd.h>

using namespace attn;
using namespace attn::test;

namespace {

using Role = KernelArgument::Role;
using Kind = DataFact::Kind;
using Runs = std::vector<std::pair<int64_t, int64_t>>;

Array arrayOf(std::vector<int64_t> shape, std::vector<double> values, DType type = DType::I32) {
  Array array = makeArray(type, std::move(shape));
  for (size_t i = 0; i < values.size(); ++i)
    array.set(static_cast<int64_t>(i), values[i]);
  return array;
}

std::vector<HostArgument> argumentsOf(const KernelSection &kernel, std::vector<Array> arrays) {
  std::vector<HostArgument> data;
  for (size_t i = 0; i < arrays.size(); ++i)
    data.push_back({&kernel.arguments[i], std::move(arrays[i]), {}});
  return data;
}

using Faults = std::vector<std::string>;

/// Pools of pages of 4 entries, a table of `rank` 2 or 3 and its lengths.
KernelSection pagedKernel(int rank, Role role = Role::Input) {
  KernelSection kernel;
  kernel.name = "paged";
  std::vector<Dimension> pool = {{"pages"}, {"page_size", 4}, {"head_dim", 2}}, table = {{"batch"}, {"slots"}};
  pool.insert(pool.begin() + 2, Dimension{"kv_heads", 1});
  if (rank == 3)
    table.push_back({"two", 2});
  kernel.arguments = {{role, "k_pool", DType::F32, pool},
                      {Role::Input, "table", DType::I32, table},
                      {Role::Input, "lens", DType::I32, {{"batch"}}}};
  kernel.facts = {{Kind::Pages, "table", "k_pool", "", "lens"}};
  return kernel;
}

} // namespace

TEST(factsAsText) {
  for (const char *text : {"length lens k seq_kv", "increasing list", "increasing list count", "pointers ends total_q",
                           "pages table pool lens", "rows row_of k", "rows row_of k lens", "members list 128",
                           "members list 1 count", "ranges list 1 count"}) {
    std::vector<std::string> words;
    for (std::string_view rest = text; !rest.empty();) {
      size_t end = std::min(rest.find(' '), rest.size());
      words.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    std::optional<DataFact> fact = dataFactOf(words);
    EXPECT(fact.has_value());
    EXPECT_EQ(dataFactText(*fact), text);
    words.resize(std::min<size_t>(words.size() - 1, 2));
    EXPECT(!dataFactOf(words) || words[0] == "increasing" || words[0] == "rows" || words.size() == 3);
  }
  EXPECT(!dataFactOf({}) && !dataFactOf({"pages"}) && !dataFactOf({"length", "lens", "k"}) &&
         !dataFactOf({"pages", "table", "pool", "lens", "more"}) && !dataFactOf({"width", "k"}));
  EXPECT(dataFactOf({"pages", "t", "p", "l"}) == (DataFact{Kind::Pages, "t", "p", "", "l"}));
}

TEST(promisedProperties) {
  KernelSection kernel;
  kernel.name = "k";
  kernel.arguments = {{KernelArgument::Role::Input, "list", DType::I32, {{"rows"}, {"places"}}},
                      {KernelArgument::Role::Input, "count", DType::I32, {{"rows"}}},
                      {KernelArgument::Role::Input, "indptr", DType::I32, {{"pointers"}}},
                      {KernelArgument::Role::Input, "x", DType::F32, {{"total"}}}};
  kernel.facts = {{DataFact::Kind::Increasing, "list", "count"}, {DataFact::Kind::Pointers, "indptr", "", "total"}};
  std::vector<HostArgument> data = argumentsOf(kernel, std::vector<Array>(4));
  data[0].array = arrayOf({2, 3}, {1, 5, 5, 7, 6, 0}, DType::I32);
  data[1].array = arrayOf({2}, {2, 1}, DType::I32);
  data[2].array = arrayOf({3}, {0, 4, 9}, DType::I32);
  data[3].array = makeArray(DType::F32, {9});
  EXPECT_EQ(brokenFacts(kernel, data), Faults{});
  data[1].array.set(0, 3);
  data[2].array.set(1, 10);
  EXPECT_EQ(brokenFacts(kernel, data), (Faults{"'list' does not increase: row 0 has 5 after 5 at place 2",
                                               "'indptr' falls from 10 to 9 at place 2"}));
  data[1].array.set(0, 2);
  data[2].array = arrayOf({2}, {1, 2}, DType::I32);
  EXPECT_EQ(brokenFacts(kernel, data), Faults{"'indptr' begins with 1, expected 0"});
  data[2].array = arrayOf({2}, {0, 10}, DType::I32);
  EXPECT_EQ(brokenFacts(kernel, data), Faults{"'indptr' ends with 10, expected at most 9"});
  data[2].array = makeArray(DType::I32, {0});
  EXPECT_EQ(brokenFacts(kernel, data), Faults{"'indptr' is empty, expected one pointer more than sequences"});
  // Random ones keep what is promised.
  ArgumentRequest request;
  request.sizes = {{"rows", 5}, {"places", 4}, {"pointers", 6}, {"total", 50}};
  EXPECT_EQ(brokenFacts(kernel, makeArguments(kernel, request)), Faults{});
}

TEST(packedLists) {
  KernelSection kernel;
  kernel.name = "k";
  kernel.arguments = {{Role::Input, "positions", DType::I32, {{"total"}}},
                      {Role::Input, "ends", DType::I32, {{"pointers"}}},
                      {Role::Input, "k", DType::F32, {{"total"}, {"head_dim", 2}}}};
  kernel.facts = {{Kind::Pointers, "ends", "", "total"}, {Kind::Increasing, "positions", "ends"}};
  // Between rows, and behind the last one, positions may fall.
  std::vector<HostArgument> data = argumentsOf(
      kernel, {arrayOf({6}, {3, 9, 1, 2, 4, 0}), arrayOf({4}, {0, 2, 2, 5}), makeArray(DType::F32, {6, 2})});
  EXPECT_EQ(brokenFacts(kernel, data), Faults{});
  std::vector<Absence> absences = absencesOf(kernel, data);
  EXPECT(absences.size() == 1 && absences[0].tensor == 2);
  EXPECT_EQ(absences[0].runs, (Runs{{10, 2}}));
  data[0].array.set(4, 2);
  EXPECT_EQ(brokenFacts(kernel, data), Faults{"'positions' does not increase: row 2 has 2 after 2 at place 2"});
}

TEST(pagesThatExist) {
  KernelSection kernel = pagedKernel(2);
  // A page and a part of another, nothing, and one page in common.
  std::vector<HostArgument> data =
      argumentsOf(kernel, {makeArray(DType::F32, {5, 4, 1, 2}), arrayOf({3, 2}, {3, 1, -1, 99, 3, 2147480000}),
                           arrayOf({3}, {6, 0, 2})});
  EXPECT_EQ(brokenFacts(kernel, data), Faults{});
  std::vector<Absence> absences = absencesOf(kernel, data);
  EXPECT_EQ(absences.size(), 1u);
  EXPECT_EQ(absences[0].runs, (Runs{{0, 8}, {8 + 4, 8 + 4}, {32, 8}}));
  Array content = withoutAbsent(data[0].array, absences[0]);
  EXPECT(std::isnan(content.at(0)) && content.at(8) == 0 && std::isnan(content.at(39)) && content.at(24) == 0);
  // A length of more than the table holds asks for all of it.
  data[2].array.set(2, 400);
  EXPECT_EQ(
      brokenFacts(kernel, data),
      Faults{"'table' at [2, 1] names page 2147480000 for page 1 of sequence 2, expected one of the 5 of 'k_pool'"});
  data[1].array.set(1, -1);
  EXPECT_EQ(brokenFacts(kernel, data),
            Faults{"'table' at [0, 1] names page -1 for page 1 of sequence 0, expected one of the 5 of 'k_pool'"});
}

TEST(runsThatExist) {
  KernelSection kernel = pagedKernel(3);
  // The second run begins with the fifth entry; the last one is longer than needed; then a run of no page.
  std::vector<HostArgument> data = argumentsOf(
      kernel, {makeArray(DType::F32, {6, 4, 1, 2}),
               arrayOf({2, 3, 2}, {4, 1, 0, 3, 2147480000, 2147480000, 2, 0, 5, 1, -7, -7}), arrayOf({2}, {9, 3})});
  EXPECT_EQ(brokenFacts(kernel, data), Faults{});
  EXPECT_EQ(absencesOf(kernel, data)[0].runs, (Runs{{8 + 2, 6 + 8 + 8}, {40 + 6, 2}}));
  data[2].array.set(0, 17);
  EXPECT_EQ(brokenFacts(kernel, data), Faults{"'table' at [0, 2] names page 2147480000 for page 4 of sequence 0, "
                                              "expected one of the 6 of 'k_pool'"});
}

TEST(rowsThatExist) {
  KernelSection kernel;
  kernel.name = "k";
  kernel.arguments = {{Role::Input, "row_of", DType::I32, {{"beams"}, {"seq"}}},
                      {Role::Input, "k", DType::F32, {{"beams"}, {"seq"}, {"head_dim", 2}}},
                      {Role::Input, "lens", DType::I32, {{"beams"}}},
                      {Role::Input, "row", DType::I64, {{"beams"}}}};
  kernel.facts = {
      {Kind::Length, "lens", "k", "seq"}, {Kind::Rows, "row_of", "k", "", "lens"}, {Kind::Rows, "row", "k"}};
  std::vector<HostArgument> data =
      argumentsOf(kernel, {arrayOf({2, 3}, {1, 0, 99, 0, -1, -1}), makeArray(DType::F32, {2, 3, 2}),
                           arrayOf({2}, {2, 1}), arrayOf({2}, {1, 1}, DType::I64)});
  EXPECT_EQ(brokenFacts(kernel, data), Faults{});
  EXPECT_EQ(absencesOf(kernel, data)[0].runs, (Runs{{4, 2}, {8, 4}}));
  data[0].array.set(1, 1);
  data[3].array.set(1, 2);
  EXPECT_EQ(brokenFacts(kernel, data), (Faults{"'row_of' at [0, 1] names row 1, which has 1 entries as 'lens' says",
                                               "'row' at [1] names row 2, expected one of the 2 of 'k'"}));
}

TEST(randomPages) {
  for (int rank : {2, 3})
    for (bool share : {false, true})
      for (uint64_t seed = 1; seed <= 20; ++seed) {
        KernelSection kernel = pagedKernel(rank);
        ArgumentRequest request;
        request.sizes = {{"batch", 6}, {"slots", 3}, {"pages", 9}};
        request.seed = seed;
        request.sharePages = share;
        std::vector<HostArgument> data = makeArguments(kernel, request);
        EXPECT_EQ(brokenFacts(kernel, data), Faults{});
        std::set<double> lengths;
        for (int64_t b = 0; b < 6; ++b)
          lengths.insert(data[2].array.at(b));
        EXPECT(*lengths.begin() == 0 && *lengths.rbegin() == (rank == 2 ? 12 : 36));
        FactData facts(kernel, data);
        std::vector<std::vector<int64_t>> pages(6);
        facts.forEachPage(kernel.facts[0], [&](const UsedPage &used) {
          pages[static_cast<size_t>(used.sequence)].push_back(used.page);
          return true;
        });
        for (size_t b = 0; b < 6; ++b) {
          EXPECT_EQ(static_cast<int64_t>(pages[b].size()), (facts.lengthOf("lens", static_cast<int64_t>(b)) + 3) / 4);
          if (share && b && !pages[b].empty() && !pages[b - 1].empty())
            EXPECT_EQ(pages[b][0], pages[b - 1][0]);
          // What no length asks for is far outside.
          for (size_t slot = pages[b].size(); rank == 2 && slot < 3; ++slot)
            EXPECT(data[1].array.at(static_cast<int64_t>(b * 3 + slot)) == 2147480000);
        }
        EXPECT(makeArguments(kernel, request)[1].array.bytes == data[1].array.bytes);
      }
}

TEST(randomPagesOfWrittenCache) {
  for (int rank : {2, 3})
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      KernelSection kernel = pagedKernel(rank, Role::InOut);
      ArgumentRequest request;
      request.sizes = {{"batch", 4}, {"slots", 5}, {"pages", 9}};
      request.seed = seed;
      request.sharePages = true;
      std::vector<HostArgument> data = makeArguments(kernel, request);
      EXPECT_EQ(brokenFacts(kernel, data), Faults{});
      std::set<int64_t> seen;
      FactData(kernel, data).forEachPage(kernel.facts[0], [&](const UsedPage &used) {
        EXPECT(seen.insert(used.page).second);
        return true;
      });
    }
}

TEST(randomPagesWithoutRoom) {
  KernelSection kernel = pagedKernel(2);
  ArgumentRequest request;
  request.sizes = {{"batch", 4}, {"slots", 5}, {"pages", 0}};
  std::vector<HostArgument> none = makeArguments(kernel, request);
  EXPECT(none[2].array.at(0) == 0 && none[2].array.at(3) == 0);
  std::string path = (std::filesystem::temp_directory_path() / fmt::format("attn-lens-{}.npy", getpid())).string();
  writeNpy(path, arrayOf({4}, {0, 1, 0, 0}));
  request.files = {{"lens", path}};
  EXPECT_FAULTS(makeArguments(kernel, request), "expects 'k_pool' to have pages for the lengths of 'lens', got none");
  std::filesystem::remove(path);
}

TEST(randomRowsAndPositions) {
  KernelSection kernel;
  kernel.name = "k";
  kernel.arguments = {{Role::Input, "row_of", DType::I32, {{"beams"}, {"seq_kv"}}},
                      {Role::Input, "k", DType::F32, {{"beams"}, {"seq_kv"}, {"head_dim", 2}}},
                      {Role::Input, "lens", DType::I32, {{"beams"}}},
                      {Role::Input, "row", DType::I64, {{"batch"}}},
                      {Role::Input, "positions", DType::I32, {{"beams"}, {"seq_kv"}}},
                      {Role::Input, "ends", DType::I32, {{"batch_ends"}}},
                      {Role::Input, "x", DType::BF16, {{"total_kv"}, {"head_dim", 2}}},
                      {Role::Input, "packed", DType::I64, {{"total_kv"}}},
                      {Role::Input, "of_packed", DType::I32, {{"batch"}}}};
  kernel.facts = {{Kind::Rows, "row_of", "k", "", "lens"},
                  {Kind::Length, "lens", "k", "seq_kv"},
                  {Kind::Rows, "row", "k"},
                  {Kind::Increasing, "positions", "lens"},
                  {Kind::Increasing, "packed", "ends"},
                  {Kind::Pointers, "ends", "", "total_kv"},
                  {Kind::Rows, "of_packed", "ends"}};
  bool behind = false, empty = false, gaps = false;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    ArgumentRequest request;
    request.sizes = {{"beams", 5}, {"seq_kv", 7}, {"batch", 4}, {"batch_ends", 6}, {"total_kv", 40}};
    request.seed = seed;
    std::vector<HostArgument> data = makeArguments(kernel, request);
    EXPECT_EQ(brokenFacts(kernel, data), Faults{});
    behind |= data[5].array.at(5) < 40;
    empty |= data[5].array.at(1) == data[5].array.at(2);
    gaps |= data[4].array.at(6) > 6;
    for (int64_t b = 0; b < 4; ++b)
      EXPECT(data[8].array.at(b) < 5);
  }
  EXPECT(behind && empty && gaps);
}

namespace {

/// A list of rows of `room` numbers or ranges with counts, and one of blocks of 16 keys that is packed.
KernelSection listKernel(bool isRanges, int64_t room) {
  KernelSection kernel;
  kernel.name = "k";
  std::vector<Dimension> list = {{"batch"}, {"heads", 2}, {"listed", room}};
  if (isRanges)
    list.push_back({"ends", 2});
  kernel.arguments = {{Role::Input, "list", DType::I32, list},
                      {Role::Input, "count", DType::I32, {{"batch"}, {"heads", 2}}},
                      {Role::Input, "packed", DType::I64, {{"entries"}}},
                      {Role::Input, "ends", DType::I32, {{"row_ends"}}},
                      {Role::Input, "k", DType::F32, {{"batch"}, {"seq_kv"}, {"head_dim", 2}}}};
  kernel.facts = {{isRanges ? Kind::Ranges : Kind::Members, "list", "count", "", "", "1"},
                  {Kind::Pointers, "ends", "", "entries"},
                  {Kind::Members, "packed", "ends", "", "", "16"}};
  return kernel;
}

} // namespace

TEST(brokenLists) {
  KernelSection kernel = listKernel(false, 3);
  std::vector<HostArgument> data =
      argumentsOf(kernel, {arrayOf({1, 2, 3}, {4, 4, 4, 7, 9, 0}), arrayOf({1, 2}, {1, 2}), arrayOf({3}, {2, 1, 0}),
                           arrayOf({3}, {0, 1, 2}), makeArray(DType::F32, {1, 10, 2})});
  EXPECT_EQ(brokenFacts(kernel, data), Faults{});
  data[0].array.set(4, 7);
  data[2].array.set(0, 1);
  data[3].array.set(1, 0);
  EXPECT_EQ(brokenFacts(kernel, data), (Faults{"'list' does not increase: row 1 has 7 after 7 at place 1",
                                               "'packed' does not increase: row 1 has 1 after 1 at place 1"}));
  data[1].array.set(0, 4);
  data[3].array = arrayOf({3}, {0, 0, 4});
  EXPECT_EQ(
      brokenFacts(kernel, data),
      (Faults{"'count' counts 4 in row 0, expected 0 to 3, what a row of 'list' has room for",
              "'ends' ends with 4, expected at most 3", "'packed' does not increase: row 1 has 1 after 1 at place 1"}));
  data[1].array.set(0, -1);
  EXPECT_EQ(brokenFacts(kernel, data).front(),
            "'count' counts -1 in row 0, expected 0 to 3, what a row of 'list' has room for");
  // Ranges increase by their start, and end where they like.
  kernel = listKernel(true, 2);
  data = argumentsOf(kernel, {arrayOf({1, 2, 2, 2}, {0, 9, 3, 1, 5, 6, 5, 7}), arrayOf({1, 2}, {2, 1}),
                              arrayOf({1}, {0}), arrayOf({1}, {0}), makeArray(DType::F32, {1, 10, 2})});
  EXPECT_EQ(brokenFacts(kernel, data), Faults{});
  data[1].array.set(1, 2);
  EXPECT_EQ(brokenFacts(kernel, data), Faults{"'list' does not increase: row 1 has 5 after 5 at place 1"});
}

TEST(randomLists) {
  for (bool isRanges : {false, true}) {
    std::set<double> counts;
    bool far = false, empty = false, overlap = false;
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      KernelSection kernel = listKernel(isRanges, 5);
      ArgumentRequest request;
      request.sizes = {{"batch", 3}, {"entries", 12}, {"row_ends", 7}, {"seq_kv", 320}};
      request.seed = seed;
      std::vector<HostArgument> data = makeArguments(kernel, request);
      EXPECT_EQ(brokenFacts(kernel, data), Faults{});
      const Array &list = data[0].array;
      FactData facts(kernel, data);
      facts.forEachRow(kernel.facts[0], [&](int64_t row, int64_t first, int64_t end) {
        counts.insert(static_cast<double>(end - first));
        int64_t step = isRanges ? 2 : 1;
        for (int64_t i = end * step; i < (row + 1) * 5 * step; ++i)
          EXPECT(list.at(i) == 2147480000);
        for (int64_t i = first; i < end; ++i) {
          far |= list.at(i * step) > 160;
          empty |= isRanges && list.at(i * 2 + 1) == list.at(i * 2);
          overlap |= isRanges && i + 1 < end && list.at(i * 2 + 1) > list.at(i * 2 + 2);
        }
        return true;
      });
      // Entries of 16 keys: rows of at most 12 of the 20.
      facts.forEachRow(kernel.facts[2], [&](int64_t, int64_t first, int64_t end) {
        EXPECT(first == end || data[2].array.at(end - 1) < 20);
        return true;
      });
      for (int64_t i = static_cast<int64_t>(data[3].array.at(6)); i < 12; ++i)
        EXPECT(data[2].array.at(i) == 2147480000);
    }
    EXPECT_EQ(counts.size(), 6u);
    EXPECT(far && empty == isRanges && overlap == isRanges);
  }
}

TEST(listsWithSeveralCounts) {
  KernelSection kernel = listKernel(false, 6);
  kernel.arguments[3] = {Role::Input, "other", DType::I32, {{"batch"}, {"heads", 2}}};
  kernel.facts = {{Kind::Members, "list", "count", "", "", "1"}, {Kind::Members, "list", "other", "", "", "1"}};
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    ArgumentRequest request;
    request.sizes = {{"batch", 3}, {"entries", 12}, {"seq_kv", 30}};
    request.seed = seed;
    std::vector<HostArgument> data = makeArguments(kernel, request);
    EXPECT_EQ(brokenFacts(kernel, data), Faults{});
    for (int64_t r = 0; r < 6; ++r)
      for (int64_t i = 0; i < 6; ++i)
        EXPECT((data[0].array.at(r * 6 + i) == 2147480000) ==
               (i >= std::max(data[1].array.at(r), data[3].array.at(r))));
  }
}

// SPDX-License-Identifier: Apache-2.0
// What attn-run makes of requests for arguments, and how it compares results.
#include "runtime/FactData.h"
#include "runtime/RunArguments.h"
#include "runtime/RunCheck.h"
#include "test/unit/Samples.h"
#include "test/unit/Test.h"

#include <cmath>
#include <filesystem>
#include <unistd.h>

using namespace attn;
using namespace attn::test;

namespace {

KernelSection sampleKernel() { return parseKernelFile(sampleWith()).kernels[0]; }

ArgumentRequest sampleRequest() {
  ArgumentRequest request;
  request.sizes = {{"batch", 2}, {"seq_q", 5}, {"seq_kv", 7}};
  request.scalars = {{"scale", "0.25"}, {"shift", "12"}, {"count", "-1"}};
  return request;
}

/// An .npy file that is gone at the end.
struct TemporaryNpy {
  TemporaryNpy(const std::string &name, const Array &array)
      : path((std::filesystem::temp_directory_path() / fmt::format("attn-{}-{}.npy", name, getpid())).string()) {
    writeNpy(path, array);
  }
  ~TemporaryNpy() { std::filesystem::remove(path); }
  std::string path;
};

Array arrayOf(std::vector<int64_t> shape, std::vector<double> values, DType type = DType::F64) {
  Array array = makeArray(type, std::move(shape));
  for (size_t i = 0; i < values.size(); ++i)
    array.set(static_cast<int64_t>(i), values[i]);
  return array;
}

} // namespace

TEST(randomArguments) {
  KernelSection kernel = sampleKernel();
  ArgumentRequest request = sampleRequest();
  request.sizes["seq_q"] = 500;
  std::vector<HostArgument> first = makeArguments(kernel, request), second = makeArguments(kernel, request);
  EXPECT_EQ(first.size(), 8u);
  EXPECT_EQ(first[0].array.shape, (std::vector<int64_t>{2, 500, 8, 64}));
  EXPECT(first[0].array.bytes == second[0].array.bytes);
  EXPECT(std::get<double>(first[3].scalar) == 0.25 && std::get<int64_t>(first[5].scalar) == -1);
  // 512 000 samples: the mean is within 5 standard errors of 0, the variance of 1.
  double sum = 0, squares = 0;
  int64_t count = first[0].array.count();
  for (int64_t i = 0; i < count; ++i) {
    double x = first[0].array.at(i);
    sum += x;
    squares += x * x;
  }
  EXPECT(std::fabs(sum / static_cast<double>(count)) < 5 / std::sqrt(512000.0));
  EXPECT(std::fabs(squares / static_cast<double>(count) - 1) < 5 * std::sqrt(2 / 512000.0) + 1e-4);
  for (int64_t b = 0; b < 2; ++b)
    EXPECT(first[2].array.at(b) >= 0 && first[2].array.at(b) <= 7);
  request.seed = 2;
  EXPECT(makeArguments(kernel, request)[0].array.bytes != first[0].array.bytes);
}

TEST(argumentsFromFiles) {
  KernelSection kernel = sampleKernel();
  ArgumentRequest request = sampleRequest();
  request.sizes.erase("batch");
  TemporaryNpy lens("lens", arrayOf({2}, {3, 7}, DType::I64));
  Array state = makeArray(DType::F64, {8});
  state.set(3, 1.5);
  TemporaryNpy stateFile("state", state);
  request.files = {{"kv_lens", lens.path}, {"state", stateFile.path}};
  std::vector<HostArgument> made = makeArguments(kernel, request);
  EXPECT(made[2].array.type == DType::I32 && made[2].array.at(1) == 7);
  EXPECT(made[7].array.type == DType::F32 && made[7].array.at(3) == 1.5);
  EXPECT_EQ(made[1].array.shape[0], 2);
  std::vector<Absence> absences = absencesOf(kernel, made);
  EXPECT_EQ(absences.size(), 1u);
  EXPECT_EQ(absences[0].tensor, 1u);
  // Of k[2, 7, 2, 64] the entries 3 to 6 of sequence 0.
  EXPECT_EQ(absences[0].runs, (std::vector<std::pair<int64_t, int64_t>>{{3 * 128, 4 * 128}}));
}

TEST(argumentFaults) {
  KernelSection kernel = sampleKernel();
  ArgumentRequest request;
  EXPECT_FAULTS(makeArguments(kernel, request), "expects --sizes to give batch, the size of a dimension of 'q'",
                "expects --sizes to give seq_q, the size of a dimension of 'q'",
                "expects --sizes to give batch, the size of a dimension of 'k'",
                "expects --sizes to give seq_kv, the size of a dimension of 'k'",
                "expects --sizes to give batch, the size of a dimension of 'kv_lens'", "expects --scalar scale=NUMBER",
                "expects --scalar shift=NUMBER", "expects --scalar count=NUMBER",
                "expects --sizes to give batch, the size of a dimension of 'o'",
                "expects --sizes to give seq_q, the size of a dimension of 'o'");
  request = sampleRequest();
  request.files = {{"p", "p.npy"}, {"scale", "s.npy"}, {"o", "o.npy"}};
  request.scalars["q"] = "1";
  request.sizes["rows"] = 4;
  EXPECT_FAULTS(makeArguments(kernel, request), "--input names 'o', which is a result: see --output",
                "--input names 'p', which is no argument of kernel 'prefill'",
                "--input names 'scale', which is a number: see --scalar",
                "--scalar names 'q', which is a tensor: see --input",
                "--sizes names 'rows', which is no dimension of kernel 'prefill'");
  request = sampleRequest();
  request.sizes["kv_heads"] = 4;
  request.scalars["count"] = "1.5";
  request.scalars["scale"] = "fast";
  EXPECT_FAULTS(makeArguments(kernel, request), "dimension 'kv_heads' is 2 in the kernel and 4 in --sizes",
                "--scalar scale expects a number, got 'fast'", "--scalar count expects a whole number, got '1.5'");
  request = sampleRequest();
  request.sizes["seq_q"] = int64_t(1) << 30;
  EXPECT_FAULTS(makeArguments(kernel, request), "--sizes gives 1073741824 seq_q, expected at most 1073741823");
}

TEST(argumentFaultsOfFiles) {
  KernelSection kernel = sampleKernel();
  ArgumentRequest request = sampleRequest();
  TemporaryNpy lens("lens", arrayOf({3}, {1, 2, 3}, DType::I32)), rank("rank", arrayOf({3, 3}, {}, DType::F32)),
      ints("ints", makeArray(DType::I32, {2, 7, 2, 64})), wide("wide", arrayOf({2}, {1, 5e9}, DType::I64));
  request.files = {{"kv_lens", lens.path}, {"q", rank.path}, {"k", ints.path}, {"state", "/nowhere.npy"}};
  EXPECT_FAULTS(makeArguments(kernel, request), fmt::format("'{}' has 2 dimensions, argument 'q' has 4", rank.path),
                fmt::format("'{}' has elements of i32, argument 'k' of bf16", ints.path),
                fmt::format("dimension 'batch' is 2 in '{}' and 3 in '{}'", ints.path, lens.path),
                "cannot read '/nowhere.npy': No such file or directory");
  request = sampleRequest();
  request.files = {{"kv_lens", wide.path}};
  EXPECT_FAULTS(makeArguments(kernel, request),
                fmt::format("'{}' has the value 5000000000 at 1, argument 'kv_lens' has elements of i32", wide.path));
}

TEST(comparison) {
  Array reference = arrayOf({1, 3}, {1, 2, -INFINITY}), own = arrayOf({1, 3}, {1.01, 2, -INFINITY});
  std::vector<bool> none(3, false);
  CheckedResult good = compare("o", arrayOf({1, 3}, {1, 2.02, -INFINITY}), reference, own, none);
  EXPECT(good.passed());
  EXPECT_EQ(good.compared, 3);
  EXPECT(std::fabs(good.largest - 0.02) < 1e-12 && std::fabs(good.allowed - 0.02001) < 1e-12);
  EXPECT(!compare("o", arrayOf({1, 3}, {1, 2.03, -INFINITY}), reference, own, none).passed());
  EXPECT_EQ(compare("o", arrayOf({1, 3}, {1, NAN, -INFINITY}), reference, own, none).complaint,
            "NaN at [0, 1]: nan, reference 2");
  EXPECT_EQ(compare("o", arrayOf({1, 3}, {1, 2, -1e30}), reference, own, none).complaint,
            "an infinity on one side only at [0, 2]: -1e+30, reference -inf");
  EXPECT(!compare("o", arrayOf({1, 3}, {-INFINITY, 2, -INFINITY}), reference, own, none).passed());
  EXPECT(!compare("o", arrayOf({1, 3}, {1, 2, INFINITY}), reference, own, none).passed());
  reference.set(0, NAN);
  EXPECT_EQ(compare("o", arrayOf({1, 3}, {1, 2, -INFINITY}), reference, own, none).complaint,
            "NaN in the reference at [0, 0]: 1, reference nan");
  CheckedResult skipping = compare("o", arrayOf({1, 3}, {1, 2, -INFINITY}), reference, own, {true, false, false});
  EXPECT(skipping.passed() && skipping.compared == 2);
  EXPECT_FAULTS(compare("o", arrayOf({3}, {}), reference, own, none),
                "the interpreter gives 'o' the shape [1, 3], expected [3]");
}

TEST(rowsThatAreChecked) {
  EXPECT_EQ(rowsToCheck(5, 10), (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(rowsToCheck(1, 1), (std::vector<int64_t>{0}));
  std::vector<int64_t> rows = rowsToCheck(1000, 40);
  EXPECT_EQ(rows.size(), 40u);
  for (int64_t wanted : {0, 63, 64, 127, 128, 895, 896, 959, 960, 999})
    EXPECT(std::find(rows.begin(), rows.end(), wanted) != rows.end());
  EXPECT(std::is_sorted(rows.begin(), rows.end()));
}

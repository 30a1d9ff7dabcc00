// SPDX-License-Identifier: Apache-2.0
// Kernel files: what is read from one written by hand, the way back, and a sentence for each thing that can be wrong.
#include "runtime/KernelFile.h"
#include "test/unit/Samples.h"
#include "test/unit/Test.h"

using namespace attn;
using namespace attn::test;

TEST(kernelFileHash) {
  // Published values of FNV-1a with 64 bits.
  EXPECT_EQ(hexadecimal(hashOf("")), "cbf29ce484222325");
  EXPECT_EQ(hexadecimal(hashOf("a")), "af63dc4c8601ec8c");
  EXPECT_EQ(hexadecimal(hashOf("foobar")), "85944171f73967e8");
}

TEST(kernelFileIsRead) {
  KernelFile file = parseKernelFile(sampleWith(), "K.ptx");
  EXPECT_EQ(file.build, "3f2a91c0");
  EXPECT_EQ(file.target, "sm_80");
  EXPECT_EQ(file.specHash, "0123456789abcdef");
  EXPECT_EQ(file.source, "// A comment.\n\n  attn.kernel @prefill\n");
  EXPECT_EQ(file.kernels.size(), 1u);
  const KernelSection &kernel = file.kernels[0];
  EXPECT_EQ(kernel.name, "prefill");
  EXPECT_EQ(kernel.arguments.size(), 8u);
  EXPECT((kernel.arguments[0] ==
          KernelArgument{
              KernelArgument::Role::Input, "q", DType::BF16, {{"batch"}, {"seq_q"}, {"heads", 8}, {"head_dim", 64}}}));
  EXPECT((kernel.arguments[4] == KernelArgument{KernelArgument::Role::Scalar, "shift", DType::Index, {}}));
  EXPECT((kernel.arguments[7] == KernelArgument{KernelArgument::Role::InOut, "state", DType::F32, {{"heads", 8}}}));
  EXPECT((kernel.facts == std::vector<DataFact>{{DataFact::Kind::Length, "kv_lens", "k", "seq_kv"}}));
  EXPECT_EQ(kernel.workspace.text(), "batch * seq_q * 4");
  EXPECT_EQ(kernel.steps.size(), 2u);
  EXPECT_EQ(kernel.steps[0].alternatives.size(), 2u);
  const KernelEntry &fast = kernel.steps[0].alternatives[0];
  EXPECT_EQ(fast.name, "fast");
  EXPECT((fast.required == std::vector<Alignment>{{"q", 16}, {"k", 16}}));
  EXPECT_EQ(fast.grid.text(), "ceildiv(seq_q, 128) * 8 * batch");
  EXPECT_EQ(fast.block, 128);
  EXPECT_EQ(fast.shared, 65536);
  EXPECT(!fast.cooperative);
  EXPECT_EQ(fast.parameters.size(), 7u);
  EXPECT(fast.parameters[2].what == KernelParameter::Kind::Stride && fast.parameters[2].dimension == 1);
  EXPECT_EQ(fast.parameters[6].offset.text(), "seq_q * 4");
  EXPECT(kernel.steps[1].alternatives[0].cooperative);
}

TEST(kernelFileRoundTrip) {
  std::string text = sampleWith();
  std::string ptx = text.substr(text.find(".version"));
  EXPECT_EQ(printKernelFile(parseKernelFile(text), ptx), text);
}

TEST(kernelFileOfTwoKernelsRoundTrip) {
  KernelFile file;
  file.build = "b";
  file.target = "sm_90a";
  file.specHash = "ffffffffffffffff";
  for (const char *name : {"first", "second"}) {
    KernelSection &kernel = file.kernels.emplace_back();
    kernel.name = name;
    kernel.arguments.push_back({KernelArgument::Role::Input, "list", DType::I64, {}});
    kernel.facts.push_back({DataFact::Kind::Increasing, "list"});
    KernelEntry &entry = kernel.steps.emplace_back().alternatives.emplace_back();
    entry.name = name;
    entry.block = 32;
  }
  std::string text = printKernelFile(file, ".version 8.0\n.entry first() { ret; }\n.entry second() { ret; }");
  KernelFile again = parseKernelFile(text);
  EXPECT_EQ(printKernelFile(again, text.substr(text.find(".version"))), text);
  EXPECT_EQ(again.kernels[1].name, "second");
  EXPECT(again.kernels[0].arguments == file.kernels[0].arguments);
  EXPECT(again.kernels[0].facts == file.kernels[0].facts);
}

static std::string faultOf(const std::string &text) {
  std::vector<std::string> faults = faultsIn([&] { parseKernelFile(text, "K.ptx"); });
  return fmt::format("{}", fmt::join(faults, " | "));
}

TEST(kernelFileDamage) {
  EXPECT_EQ(faultOf(""), "K.ptx is no kernel file: expects '//! attn-kernel-file 1' as its first line, got ''");
  EXPECT_EQ(faultOf(".version 8.0\n"),
            "K.ptx is no kernel file: expects '//! attn-kernel-file 1' as its first line, got '.version 8.0'");
  EXPECT_EQ(faultOf(sampleWith("file 1", "file 2")),
            "K.ptx has kernel file format '2', this runtime reads 1: compile it again");
  EXPECT_EQ(faultOf(sampleWith("build 3f2a91c0", "built 3f2a91c0")),
            "K.ptx:2: expects '//! build' and its value, got '//! built 3f2a91c0'");
  EXPECT_EQ(faultOf(sampleWith("sm_80", "sm_80 sm_90")), "K.ptx:3: expects the end of the line, got 'sm_90'");
  EXPECT_EQ(faultOf(sampleWith("0123456789abcdef", "0123")),
            "K.ptx:4: expects 16 hexadecimal digits after 'spec-hash', got '0123'");
  std::string text = sampleWith(), content = text.substr(text.find("//! kernel"));
  std::string hash = hexadecimal(hashOf(content));
  std::string shorter = text.substr(0, text.size() - 10);
  std::string shorterHash = hexadecimal(hashOf(content.substr(0, content.size() - 10)));
  EXPECT_EQ(faultOf(shorter), fmt::format("K.ptx is truncated, damaged or was edited: its content has the hash {}, its "
                                          "check line says {}; compile it again",
                                          shorterHash, hash));
}

struct Replacement {
  const char *old, *replacement, *fault;
};

static void checkReplacements(std::initializer_list<Replacement> table) {
  std::string wrong;
  for (const Replacement &row : table)
    if (std::string got = faultOf(sampleWith(row.old, row.replacement)); got != row.fault)
      wrong +=
          fmt::format("\n  '{}' -> '{}'\n    expects {}\n    got     {}", row.old, row.replacement, row.fault, got);
  EXPECT_EQ(wrong, "");
}

TEST(kernelFileFaultsOfKernelLines) {
  checkReplacements({
      {"//! kernel prefill", "//! kernel 1st", "K.ptx:6: expects the name of a kernel, got '1st'"},
      {"//! kernel prefill\n", "//! workspace 0\n//! kernel prefill\n", "K.ptx:6: expects 'kernel', got 'workspace'"},
      {"input q bf16", "input q* bf16", "K.ptx:7: expects the name of an argument, got 'q*'"},
      {"input q bf16", "input q f8",
       "K.ptx:7: expects a type (f16, bf16, f32, f64, i8, i32, i64, bool, index), got 'f8'"},
      {"kv_lens i32 [batch]", "kv_lens index [batch]",
       "K.ptx:9: expects elements of a type with a size in memory, got 'index'"},
      {"kv_lens i32 [batch]", "kv_lens i32 batch", "K.ptx:9: expects a shape in brackets, got 'batch'"},
      {"[batch, seq_kv,", "[batch, ,", "K.ptx:8: expects the name of a dimension, got ''"},
      {"heads = 8,", "heads : 8,", "K.ptx:7: expects '=' after the name of a dimension, got ':'"},
      {"heads = 8,", "heads = -8,", "K.ptx:7: expects a size from 0 to 1073741823, got '-8'"},
      {"heads = 8,", "heads = 8 8,", "K.ptx:7: expects the end of the line, got '8'"},
      {"scale f32", "scale f16", "K.ptx:10: expects a scalar of f32, i32 or index, got f16"},
      {"data length", "data width",
       "K.ptx:15: expects length, increasing, sorted, pointers, pages, members, ranges or rows, got 'width'"},
      {"data length kv_lens k seq_kv", "data members kv_lens 0",
       "K.ptx:15: expects a number of keys from 1 to 1073741823, got '0'"},
      {"workspace batch * seq_q", "workspace batch * ",
       "K.ptx:16: expects a number, a name or '(', got '*' in 'batch *  * 4'"},
      {"//! launch last", "//! start last",
       "K.ptx:35: expects kernel, input, scalar, output, inout, data, workspace, launch, or, requires, grid, block, "
       "shared, cooperative, overlaps-previous, param or source, got 'start'"},
      {"//! | // A comment.", "// A comment.",
       "K.ptx:41: expects '//! end' after the source, got the end of the header lines"},
      {"//! | // A comment.", "//! // A comment.",
       "K.ptx:42: expects '//! | ' and a line of the spec, or '//! end', got '//! // A comment.'"},
  });
}

TEST(kernelFileFaultsOfEntryLines) {
  checkReplacements({
      {"//! launch fast", "//! grid 1", "K.ptx:17: expects 'launch' before 'grid'"},
      {"//! launch fast", "//! or fast", "K.ptx:17: expects 'launch' before 'or'"},
      {"aligned q 16", "padded q 16", "K.ptx:18: expects 'aligned' or 'tensor-map', got 'padded'"},
      {"aligned q 16", "aligned q 0", "K.ptx:18: expects a number of bytes from 1 to 4096, got '0'"},
      {"block 128", "block 2048", "K.ptx:21: expects a number of threads from 1 to 1024, got '2048'"},
      {"block 128", "block 12x", "K.ptx:21: expects a number of threads from 1 to 1024, got '12x'"},
      {"shared 65536", "shared -1", "K.ptx:22: expects a number of bytes from 0 to 1048576, got '-1'"},
      {"param address q", "param place q",
       "K.ptx:23: expects address, size, stride, scalar, workspace or map, got 'place'"},
      {"stride q 1", "stride q 99", "K.ptx:25: expects the number of a dimension from 0 to 31, got '99'"},
  });
}

TEST(kernelFileFaultsOfLists) {
  checkReplacements({
      {"data length kv_lens k seq_kv", "data members kv_lens 1 q",
       "K.ptx: kernel 'prefill': expects data about integers, got 'q' of bf16 | K.ptx: kernel 'prefill': expects "
       "counts "
       "of rank 0 in data, got 4 in 'q'"},
      {"data length kv_lens k seq_kv", "data ranges kv_lens 1",
       "K.ptx: kernel 'prefill': expects a list of rank 2 to 32 in data, got 1 in 'kv_lens'"},
      {"data length kv_lens k seq_kv", "data ranges k 1",
       "K.ptx: kernel 'prefill': expects data about integers, got 'k' of bf16 | K.ptx: kernel 'prefill': expects "
       "ranges "
       "with a last dimension of 2 in data, got 'k'"},
  });
}

TEST(kernelFileFaultsBetweenLines) {
  checkReplacements({
      {"input k bf16 [batch, seq_kv, kv_heads = 2", "input k bf16 [batch, seq_kv, heads = 2",
       "K.ptx: kernel 'prefill': expects one size for dimension 'heads', got 8 in 'q' and 2 in 'k'"},
      {"[batch, seq_kv, kv_heads = 2", "[batch, seq_kv, batch",
       "K.ptx: kernel 'prefill': expects every dimension of 'k' to have its own name, got 'batch' twice"},
      {"scalar count i32", "scalar scale i32",
       "K.ptx: kernel 'prefill': expects arguments with different names, got 'scale' twice | K.ptx: kernel 'prefill': "
       "expects the name of a scalar in entry 'fast', got 'count' | K.ptx: kernel 'prefill': expects parameter 5 of "
       "entry 'fast' to be 8 bytes in the PTX, got 4"},
      {"data length kv_lens", "data length q", "K.ptx: kernel 'prefill': expects data about integers, got 'q' of bf16"},
      {"data length kv_lens k", "data length kv_lens j",
       "K.ptx: kernel 'prefill': expects the name of a tensor in data, got 'j'"},
      {"data length kv_lens k seq_kv", "data length kv_lens k seq_q",
       "K.ptx: kernel 'prefill': expects a dimension of 'k' in data, got 'seq_q'"},
      {"data length kv_lens k seq_kv", "data pages kv_lens state q",
       "K.ptx: kernel 'prefill': expects data about integers, got 'q' of bf16 | K.ptx: kernel 'prefill': expects "
       "lengths of rank 1 in data, got 4 in 'q' | K.ptx: kernel 'prefill': expects a page table of rank 2 to 3 in "
       "data, got 1 in 'kv_lens' | K.ptx: kernel 'prefill': expects a pool of rank 4 in data, got 1 in 'state'"},
      {"data length kv_lens k seq_kv", "data rows q scale kv_lens",
       "K.ptx: kernel 'prefill': expects data about integers, got 'q' of bf16 | K.ptx: kernel 'prefill': expects the "
       "name of a tensor in data, got 'scale' | K.ptx: kernel 'prefill': expects rows of rank 1 to 2 in data, got 4 in "
       "'q'"},
      {"data length kv_lens k seq_kv", "data pointers kv_lens pages",
       "K.ptx: kernel 'prefill': expects the name of a dimension in data, got 'pages'"},
      {"workspace batch *", "workspace pages *",
       "K.ptx: kernel 'prefill': expects names of dimensions in workspace, got 'pages'"},
      {"grid ceildiv(seq_q, 128)", "grid ceildiv(rows, 128)",
       "K.ptx: kernel 'prefill': expects names of dimensions in the grid of entry 'fast', got 'rows'"},
      {"input q bf16 [batch, seq_q,", "input q bf16 [batch, multiprocessors,",
       "K.ptx: kernel 'prefill': expects dimensions of 'q' without the name 'multiprocessors', which is the device's"},
      {"workspace batch *", "workspace multiprocessors *",
       "K.ptx: kernel 'prefill': expects names of dimensions in workspace, got 'multiprocessors'"},
      {"//! block 32\n", "", "K.ptx: kernel 'prefill': expects a block in entry 'last', got none"},
      {"aligned q 16", "aligned r 16",
       "K.ptx: kernel 'prefill': expects the name of a tensor in entry 'fast', got 'r'"},
      {"aligned q 16", "aligned q 12",
       "K.ptx: kernel 'prefill': expects an alignment that is a power of two in entry 'fast', got 12"},
      {"param address q", "param address scale",
       "K.ptx: kernel 'prefill': expects the name of a tensor in entry 'fast', got 'scale'"},
      {"stride q 1", "stride q 4",
       "K.ptx: kernel 'prefill': expects a dimension of 'q' below 4 in entry 'fast', got 4"},
      {"param size seq_q", "param size rows",
       "K.ptx: kernel 'prefill': expects the name of a dimension in entry 'fast', got 'rows'"},
      {"param workspace seq_q", "param workspace rows",
       "K.ptx: kernel 'prefill': expects names of dimensions in a workspace offset of entry 'fast', got 'rows'"},
      {"//! launch last", "//! launch lost", "K.ptx: kernel 'prefill': expects an .entry 'lost' in the PTX, got none"},
      {"//! param size batch\n", "",
       "K.ptx: kernel 'prefill': expects as many parameters in entry 'last' as the PTX declares, 1, got 0"},
      {".param .u32 fast_param_1", ".param .u64 fast_param_1",
       "K.ptx: kernel 'prefill': expects parameter 1 of entry 'fast' to be 4 bytes in the PTX, got 8"},
      {"//! source", "//! kernel prefill\n//! launch last\n//! grid 1\n//! block 32\n//! param workspace 0\n//! source",
       "K.ptx: expects kernels with different names, got 'prefill' twice | K.ptx: kernel 'prefill': expects parameter "
       "0 "
       "of entry 'last' to be 8 bytes in the PTX, got 4"},
      {"//! source", "//! kernel empty\n//! source", "K.ptx: kernel 'empty': expects at least one launch, got none"},
  });
  std::string text = sampleWith();
  size_t begin = text.find("//! kernel"), end = text.find("//! source");
  EXPECT_EQ(faultOf(repairCheck(text.erase(begin, end - begin))), "K.ptx: expects at least one kernel, got none");
}

TEST(kernelFileOverlap) {
  std::string text = sampleWith("//! cooperative", "//! overlaps-previous");
  text.replace(text.rfind("{ ret; }"), 8, "{ griddepcontrol.wait; ret; }");
  KernelFile file = parseKernelFile(repairCheck(text));
  EXPECT(!file.kernels[0].steps[0].alternatives[0].overlapsPrevious);
  EXPECT(file.kernels[0].steps[1].alternatives[0].overlapsPrevious);
  EXPECT_EQ(printKernelFile(file, text.substr(text.find(".version"))), repairCheck(text));
  checkReplacements({
      {"//! cooperative", "//! overlaps-previous",
       "K.ptx: kernel 'prefill': expects griddepcontrol.wait in entry 'last', which overlaps the step before, got "
       "none"},
      {"//! cooperative", "//! overlaps-previous\n//! cooperative",
       "K.ptx: kernel 'prefill': expects entry 'last' to be cooperative or to overlap the step before, got both | "
       "K.ptx: kernel 'prefill': expects griddepcontrol.wait in entry 'last', which overlaps the step before, got "
       "none"},
      {"shared 0\n//! param address k", "shared 0\n//! overlaps-previous\n//! param address k",
       "K.ptx: kernel 'prefill': expects a step before entry 'slow', which overlaps it, got none | K.ptx: kernel "
       "'prefill': expects griddepcontrol.wait in entry 'slow', which overlaps the step before, got none"},
  });
}

TEST(kernelFileFaultsComeTogether) {
  std::string text = sampleWith("aligned q 16", "aligned q 0");
  text.replace(text.find("block 64"), 8, "block 0 ");
  EXPECT_EQ(faultOf(repairCheck(text)), "K.ptx:18: expects a number of bytes from 1 to 4096, got '0' | K.ptx:32: "
                                        "expects a number of threads from 1 to 1024, got '0'");
}

TEST(kernelFileFaultsOfMaps) {
  auto first = [](const std::string &old, const std::string &line) {
    return faultsIn([&] { parseKernelFile(sampleWith(old, line), "K"); }).at(0);
  };
  EXPECT_EQ(first("param address q", "param map q"),
            "K:23: expects 'box' and its sizes in brackets, got '//! param map q'");
  EXPECT_EQ(first("param address q", "param map q box [1, 64] swirl 128"), "K:23: expects 'swizzle', got 'swirl'");
  EXPECT_EQ(first("requires aligned q 16", "requires tensor-map state"),
            "K: kernel 'prefill': expects a tensor of 2 to 5 dimensions for a tensor map in entry 'fast', got 1 in "
            "'state'");
}

TEST(kernelFileLongExpression) {
  EXPECT_FAULTS(parseKernelFile(sampleWith("ceildiv(seq_q, 128) * 8 * batch", std::string(1001, '1')), "K"),
                "K:20: expects an expression of at most 1000 characters, got 1001");
}

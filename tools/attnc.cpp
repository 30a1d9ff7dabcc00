// SPDX-License-Identifier: Apache-2.0
// attnc: a spec becomes a kernel file, is evaluated by definition, or is explained.
#include "compiler/Compiler.h"
#include "compiler/Explain.h"
#include "compiler/InterpretCommand.h"
#include "dialect/Target.h"
#include "runtime/CommandLine.h"
#include "runtime/Error.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

using namespace attn;

namespace {

const std::vector<OptionSpec> options = {
    {"-o", "FILE", "where to write the result (default: standard output)"},
    {"--target", "sm_NN", "the chip to compile for (default: sm_80)"},
    {"--emit", "attn|tile|gpu|llvm|ptx", "the stage to stop after (default: ptx, the kernel file)"},
    {"--print-ir-after", "PASS", "stop after a pass and write the IR"},
    {"--start-after", "PASS", "the input is the IR after that pass"},
    {"--remarks", "", "say what the compiler could not do, and why"},
    {"--interpret", "", "evaluate the spec in double precision, by definition"},
    {"--kernel", "NAME", "which kernel to evaluate (not needed when there is one)"},
    {"--input", "NAME=FILE.npy", "an argument to evaluate with"},
    {"--scalar", "NAME=NUMBER", "a number passed by value"},
    {"--output", "NAME=FILE.npy", "where to write a result, as f64"},
    {"--kernel-output", "NAME=FILE.npy", "the same formula in the kernel's own precisions"},
    {"--rows", "I,J,...", "evaluate only these query rows"},
    {"--explain", "", "say what was chosen, what it moves and computes, and which tiles it visits"},
    {"--sizes", "DIMENSION=N,...", "sizes to explain"},
    {"--version", "", "the identity of this build, and the targets it knows"},
    {"--help", "", "this text"},
};

[[noreturn]] void fail(const std::string &text) { throw Error(text); }

std::string readFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFileOrSTDIN(path);
  if (!buffer)
    fail("cannot read '" + path + "': " + buffer.getError().message());
  return (*buffer)->getBuffer().str();
}

void writeResult(const CommandLine &line, const std::string &text) {
  std::string path = line.value("-o", "-");
  std::error_code code;
  llvm::ToolOutputFile file(path, code, llvm::sys::fs::OF_None);
  if (code)
    fail("cannot write '" + path + "': " + code.message());
  file.os() << text;
  file.os().flush();
  if (file.os().has_error())
    fail("cannot write '" + path + "': " + file.os().error().message());
  file.keep();
}

/// Diagnostics of the compiler are whole lines and are printed as they are.
int report(llvm::Error error) {
  llvm::errs() << llvm::toString(std::move(error)) << "\n";
  return 1;
}

int compile(const CommandLine &line, const std::string &path) {
  CompileOptions compileOptions;
  compileOptions.target = line.value("--target", "sm_80");
  auto stage = stageNamed(line.value("--emit", "ptx"));
  if (!stage)
    fail("--emit expects attn, tile, gpu, llvm or ptx, got '" + line.value("--emit") + "'");
  compileOptions.emit = *stage;
  compileOptions.printAfter = line.value("--print-ir-after");
  compileOptions.startAfter = line.value("--start-after");
  std::string remarks;
  auto result = compileSpec(readFile(path), path, compileOptions, &remarks);
  if (!result)
    return report(result.takeError());
  if (line.has("--remarks"))
    llvm::errs() << remarks;
  writeResult(line, *result);
  return 0;
}

int interpret(const CommandLine &line, const std::string &path) {
  mlir::MLIRContext context(compilerDialects(), mlir::MLIRContext::Threading::DISABLED);
  auto module = parseSpec(readFile(path), path, context);
  if (!module)
    return report(module.takeError());
  InterpretCommandOptions request;
  request.kernel = line.value("--kernel");
  request.inputs = line.pairs("--input");
  request.scalars = line.pairs("--scalar");
  request.outputs = line.pairs("--output");
  request.kernelOutputs = line.pairs("--kernel-output");
  request.rows = line.value("--rows");
  return runInterpretCommand(**module, request);
}

int run(int count, char **words) {
  CommandLine line(count, words, options);
  if (line.has("--version")) {
    llvm::outs() << "attnc " << compilerBuild() << "\ntargets " << targetNames() << "\n";
    return 0;
  }
  if (line.has("--help")) {
    llvm::outs() << "usage: attnc SPEC.mlir [-o K.ptx] [options]\n" << line.help();
    return 0;
  }
  if (line.operands().size() != 1)
    fail("expects one spec, got " + std::to_string(line.operands().size()));
  const std::string &path = line.operands().front();
  if (line.has("--interpret"))
    return interpret(line, path);
  if (line.has("--explain")) {
    auto text = explainSpec(readFile(path), path, line.value("--target", "sm_80"), line.value("--sizes"),
                            line.pairs("--input"));
    if (!text)
      return report(text.takeError());
    writeResult(line, *text);
    return 0;
  }
  return compile(line, path);
}

} // namespace

int main(int count, char **words) { return runTool("attnc", run, count, words); }

// SPDX-License-Identifier: Apache-2.0
// Writes the header lines of a kernel file; reading them is KernelFileReader.cpp.
#include "runtime/KernelFile.h"

#include <fmt/format.h>

namespace attn {

uint64_t hashOf(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (unsigned char byte : bytes)
    hash = (hash ^ byte) * 0x100000001b3u;
  return hash;
}

std::string hexadecimal(uint64_t value) { return fmt::format("{:016x}", value); }

namespace {

constexpr std::string_view checkWord = "//! check ";

std::string shapeText(const std::vector<Dimension> &shape) {
  std::string text;
  for (const Dimension &dimension : shape) {
    text += text.empty() ? "" : ", ";
    text += dimension.name;
    if (dimension.size)
      text += fmt::format(" = {}", *dimension.size);
  }
  return "[" + text + "]";
}

std::string argumentLine(const KernelArgument &argument) {
  if (argument.kind == KernelArgument::Role::Scalar)
    return fmt::format("//! scalar {} {}\n", argument.name, nameOf(argument.type));
  const char *role = argument.kind == KernelArgument::Role::Input    ? "input"
                     : argument.kind == KernelArgument::Role::Output ? "output"
                                                                     : "inout";
  return fmt::format("//! {} {} {} {}\n", role, argument.name, nameOf(argument.type), shapeText(argument.shape));
}

std::string parameterLine(const KernelParameter &parameter) {
  switch (parameter.what) {
  case KernelParameter::Kind::Address:
    return fmt::format("//! param address {}\n", parameter.name);
  case KernelParameter::Kind::Size:
    return fmt::format("//! param size {}\n", parameter.name);
  case KernelParameter::Kind::Stride:
    return fmt::format("//! param stride {} {}\n", parameter.name, parameter.dimension);
  case KernelParameter::Kind::Scalar:
    return fmt::format("//! param scalar {}\n", parameter.name);
  case KernelParameter::Kind::Workspace:
    return fmt::format("//! param workspace {}\n", parameter.offset.text());
  case KernelParameter::Kind::Map:
    return fmt::format("//! param map {} box [{}] swizzle {}\n", parameter.name, fmt::join(parameter.box, ", "),
                       parameter.swizzle);
  }
  return {};
}

std::string entryLines(const KernelEntry &entry, bool first) {
  std::string text = fmt::format("//! {} {}\n", first ? "launch" : "or", entry.name);
  for (const Alignment &alignment : entry.required)
    text += fmt::format("//! requires aligned {} {}\n", alignment.tensor, alignment.bytes);
  for (const std::string &tensor : entry.tensorMaps)
    text += fmt::format("//! requires tensor-map {}\n", tensor);
  text += fmt::format("//! grid {}\n//! block {}\n//! shared {}\n", entry.grid.text(), entry.block, entry.shared);
  if (entry.cooperative)
    text += "//! cooperative\n";
  if (entry.overlapsPrevious)
    text += "//! overlaps-previous\n";
  for (const KernelParameter &parameter : entry.parameters)
    text += parameterLine(parameter);
  return text;
}

std::string sourceLines(std::string_view source) {
  std::string text = "//! source\n";
  while (!source.empty()) {
    size_t end = source.find('\n');
    std::string_view line = source.substr(0, end);
    text += line.empty() ? "//! |\n" : fmt::format("//! | {}\n", line);
    source.remove_prefix(end == std::string_view::npos ? source.size() : end + 1);
  }
  return text + "//! end\n";
}

} // namespace

std::string printKernelFile(const KernelFile &file, std::string_view ptx) {
  std::string content;
  for (const KernelSection &kernel : file.kernels) {
    content += fmt::format("//! kernel {}\n", kernel.name);
    for (const KernelArgument &argument : kernel.arguments)
      content += argumentLine(argument);
    for (const DataFact &fact : kernel.facts)
      content += "//! data " + dataFactText(fact) + "\n";
    content += fmt::format("//! workspace {}\n", kernel.workspace.text());
    for (const KernelStep &step : kernel.steps)
      for (const KernelEntry &entry : step.alternatives)
        content += entryLines(entry, &entry == &step.alternatives.front());
  }
  content += sourceLines(file.source);
  content += ptx;
  if (content.back() != '\n')
    content += '\n';
  return fmt::format("//! attn-kernel-file {}\n//! build {}\n//! target {}\n//! spec-hash {}\n{}{}\n{}",
                     kernelFileVersion, file.build, file.target, file.specHash, checkWord, hexadecimal(hashOf(content)),
                     content);
}

std::string repairCheck(std::string_view text) {
  size_t line = text.substr(0, checkWord.size()) == checkWord ? 0 : text.find("\n" + std::string(checkWord));
  size_t end = line == std::string_view::npos ? line : text.find('\n', line + 1);
  if (end == std::string_view::npos)
    return std::string(text);
  std::string_view before = text.substr(0, line == 0 ? 0 : line + 1), content = text.substr(end + 1);
  return fmt::format("{}{}{}\n{}", before, checkWord, hexadecimal(hashOf(content)), content);
}

} // namespace attn

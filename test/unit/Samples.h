// SPDX-License-Identifier: Apache-2.0
// A kernel file written by hand, and a device that does nothing but watch.
#ifndef ATTN_TEST_UNIT_SAMPLES_H
#define ATTN_TEST_UNIT_SAMPLES_H

#include "runtime/Runtime.h"

#include <cstring>
#include <set>
#include <string>

namespace attn::test {

/// Two steps, the first with two ways to do it; the check line is wrong and has to be repaired.
inline const char *sampleText = R"(//! attn-kernel-file 1
//! build 3f2a91c0
//! target sm_80
//! spec-hash 0123456789abcdef
//! check 0000000000000000
//! kernel prefill
//! input q bf16 [batch, seq_q, heads = 8, head_dim = 64]
//! input k bf16 [batch, seq_kv, kv_heads = 2, head_dim = 64]
//! input kv_lens i32 [batch]
//! scalar scale f32
//! scalar shift index
//! scalar count i32
//! output o bf16 [batch, seq_q, heads = 8, head_dim = 64]
//! inout state f32 [heads = 8]
//! data length kv_lens k seq_kv
//! workspace batch * seq_q * 4
//! launch fast
//! requires aligned q 16
//! requires aligned k 16
//! grid ceildiv(seq_q, 128) * 8 * batch
//! block 128
//! shared 65536
//! param address q
//! param size seq_q
//! param stride q 1
//! param scalar scale
//! param scalar shift
//! param scalar count
//! param workspace seq_q * 4
//! or slow
//! grid ceildiv(seq_q, 64) * 8 * batch
//! block 64
//! shared 0
//! param address k
//! launch last
//! grid max(0, seq_q - 1)
//! block 32
//! shared 0
//! cooperative
//! param size batch
//! source
//! | // A comment.
//! |
//! |   attn.kernel @prefill
//! end
.version 7.1
.target sm_80
.address_size 64
.visible .entry fast(
	.param .u64 .ptr .global .align 1 fast_param_0, // .param is not one
	.param .u32 fast_param_1,
	.param .u64 fast_param_2,
	.param .f32 fast_param_3,
	.param .s64 fast_param_4,
	.param .b32 fast_param_5,
	.param .b64 fast_param_6
)
{ ret; }
.visible .entry slow(.param .u64 slow_param_0) { ret; }
.entry last(
	.param .u32 last_param_0
)
{ ret; }
)";

/// The sample with one piece of its text replaced; the check line is right again.
inline std::string sampleWith(const std::string &old = {}, const std::string &replacement = {}) {
  std::string text = sampleText;
  if (size_t at = text.find(old); !old.empty() && at != std::string::npos)
    text.replace(at, old.size(), replacement);
  else if (!old.empty())
    throw Error("the sample has no '" + old + "'");
  return repairCheck(text);
}

/// Host memory as a device. While `launching` it refuses all that a launch must not do: copies, allocation, waiting.
class NoHostWorkDevice : public Device {
public:
  struct Started {
    std::string entry;
    int64_t grid;
    bool overlaps;
    std::vector<std::byte> parameters;
    std::vector<size_t> offsets;
    Stream stream;
  };

  std::string name() const override { return "no host work"; }
  std::string target() const override { return "sm_80"; }
  std::string refusalOf(std::string_view target) const override {
    return target == "sm_80" ? "" : "is compiled for " + std::string(target);
  }
  void *allocate(size_t bytes, std::string_view) override {
    refuse("allocate");
    void *data = ::operator new(bytes ? bytes : 1, std::align_val_t(workspaceAlignment));
    std::memset(data, 0xff, bytes);
    return data;
  }
  void release(void *data) override {
    refuse("release");
    ::operator delete(data, std::align_val_t(workspaceAlignment));
  }
  void copyToDevice(void *to, const void *from, size_t bytes) override {
    refuse("copy");
    std::memcpy(to, from, bytes);
  }
  void copyToHost(void *to, const void *from, size_t bytes) override {
    refuse("copy");
    std::memcpy(to, from, bytes);
  }
  void copyOnDevice(void *to, const void *from, size_t bytes, Stream) override {
    refuse("copy");
    std::memcpy(to, from, bytes);
  }
  void synchronize(Stream) override { refuse("synchronize"); }
  std::shared_ptr<attn::Module> loadModule(const std::string &, const KernelFile &, const std::string &) override {
    refuse("load");
    return std::make_shared<Recorder>(*this);
  }

  int64_t multiprocessors() const override { return processors; }

  bool launching = false;
  int64_t processors = 1;
  std::vector<Started> started;

private:
  struct Recorder : attn::Module {
    explicit Recorder(NoHostWorkDevice &device) : device(device) {}
    void launch(const EntryLaunch &launch, Stream stream) override {
      device.started.push_back({launch.entry->name, launch.grid, launch.overlapsPrevious, launch.parameters,
                                launch.parameterOffsets, stream});
    }
    NoHostWorkDevice &device;
  };

  void refuse(const char *what) const {
    if (launching)
      throw Error(std::string("a launch must not ") + what);
  }
};

} // namespace attn::test

#endif // ATTN_TEST_UNIT_SAMPLES_H

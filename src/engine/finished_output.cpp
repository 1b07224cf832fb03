#include "engine/finished_output.hpp"

#include <algorithm>
#include <atomic>

#include "base/digest.hpp"
#include "models/part_names.hpp"

namespace nibble {
namespace {

namespace fs = std::filesystem;

// Removing `folder` would remove `path`.
bool lies_in(const fs::path& path, const fs::path& folder) {
  std::error_code code;
  const fs::path inner = fs::weakly_canonical(path, code), outer = fs::weakly_canonical(folder, code);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

bool has_receipt(const fs::path& target) {
  const auto opened = Checkpoint::open(target);
  return opened && !(*opened)->metadata_texts(Receipt::key).empty();
}

std::map<std::string, Receipt::Tensor> receipt_tensors(const Checkpoint& made) {
  std::map<std::string, Receipt::Tensor> out;
  for (const std::string& text : made.metadata_texts(Receipt::key))
    if (auto receipt = Receipt::parse(text, "")) out.merge(receipt->tensors);
  return out;
}

// The output as a journal would tell of it; empty: it lacks a part.
std::vector<Journal::Record> records_of(const Checkpoint& made, const OutputPlan& plan) {
  const std::map<std::string, Receipt::Tensor> notes = receipt_tensors(made);
  std::vector<Journal::Record> records;
  for (const OutputPlan::Weight& weight : plan.weights) {
    Journal::Record record = weight.record;
    for (Journal::Part& part : record.parts) {
      const CheckpointTensor* tensor = made.find(made.is_gguf() ? hugging_face_name(part.name) : part.name);
      const auto note = notes.find(part.name);
      if (!tensor || note == notes.end()) return {};
      part.bytes = tensor->bytes.size();
      part.note = note->second;
    }
    records.push_back(std::move(record));
  }
  return records;
}

// Heads say where everything lies, what it is, and the hashes of it all.
Result<bool> has_the_heads(const fs::path& target, const OutputPlan& plan, ContinuedOutput::Container& container,
                           const std::vector<Journal::Record>& records) {
  for (OutputPlan::File file : plan.files) {
    std::vector<const Journal::Record*> planned, there;
    for (std::size_t i = file.first; i < file.end; ++i) {
      planned.push_back(&plan.weights[i].record);
      there.push_back(&records[i]);
    }
    NIBBLE_TRY(const std::string longest, container.head(file, planned));
    file.room = longest.size();
    NIBBLE_TRY(const std::string head, container.head(file, there));
    const auto mapped = MappedFile::open(plan.form == Target::file ? target : target / file.name);
    if (!mapped || !(*mapped)->text().starts_with(head)) return false;
  }
  return true;
}

bool has_the_bytes(Conversion& conversion, const Checkpoint& made, const OutputPlan& plan,
                   const std::vector<Journal::Record>& records) {
  std::atomic<bool> same = true;
  conversion.pool().run(std::int64_t(records.size()), [&](std::int64_t i, int) {
    if (!same) return;
    for (const Journal::Part& part : records[std::size_t(i)].parts) {
      const CheckpointTensor* tensor = made.find(made.is_gguf() ? hugging_face_name(part.name) : part.name);
      if (sha256(tensor->bytes) != part.note.sha256 ||
          (!part.note.source.empty() &&
           source_hash(conversion.checkpoint(), plan.weights[std::size_t(i)].module->name) != part.note.source))
        same = false;
    }
  });
  return same;
}

Result<bool> is_made(Conversion& conversion, ContinuedOutput::Container& container, const OutputPlan& plan,
                     const fs::path& target, const Checkpoint& made) {
  const std::vector<Journal::Record> records = records_of(made, plan);
  if (records.empty()) return false;
  NIBBLE_TRY(const bool heads, has_the_heads(target, plan, container, records));
  if (!heads) return false;
  for (const auto& [name, hash] : container.small_files()) {
    const auto found = digest_of_file(target / name, DigestKind::sha256);
    if (!found || *found != hash) return false;
  }
  return has_the_bytes(conversion, made, plan, records);
}

}  // namespace

Result<std::string> hash_of_metadata(const std::vector<GgufEntry>& metadata) {
  NIBBLE_TRY(const std::string head, gguf_head("", metadata, {}));
  return sha256(head);
}

Result<bool> check_output(const Conversion& conversion, const fs::path& target, Target form,
                          const QuantizeCheckpointOptions& options) {
  const auto free = WorkFolder::check_target(target, form);
  if (free) return false;
  const bool there = WorkFolder::check_target(target, form, true).has_value();
  if (!there || lies_in(conversion.checkpoint().path(), target)) return free.error();
  const bool ours = has_receipt(target);
  if (!options.replace) return ours ? Result<bool>(true) : free.error();
  if (!ours)
    return error(Errc::bad_request,
                 "{}: has no receipt, so it is nothing that `quantize` wrote, and only that is replaced; remove it "
                 "yourself",
                 target.string());
  return false;
}

Result<QuantizeReport> report_finished_output(Conversion& conversion, ContinuedOutput::Container& container,
                                              OutputPlan& plan, const fs::path& target) {
  NIBBLE_TRY(const auto made, Checkpoint::open(target));
  NIBBLE_TRY(const bool same, is_made(conversion, container, plan, target, *made));
  if (!same)
    return error(Errc::bad_request,
                 "{}: exists already, and is not what this would make of {} today; name a new {}, or have it replaced "
                 "(--force)",
                 target.string(), conversion.checkpoint().path().string(),
                 plan.form == Target::file ? "file" : "folder");
  QuantizeReport report = conversion.finish(made->file_bytes());
  report.stood_already = true;
  for (const auto& [name, tensor] : receipt_tensors(*made))
    if (tensor.error && *tensor.error > report.worst_error) {
      report.worst_error = *tensor.error;
      report.worst_tensor = name;
    }
  return report;
}

}  // namespace nibble

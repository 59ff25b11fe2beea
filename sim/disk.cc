#include "sim/disk.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace redoubt::sim {

namespace {

constexpr std::string_view kOwnDirectory = "/data";
constexpr size_t kNameMax = 255;
constexpr size_t kSectorsPerPage = kPageSize / kSectorSize;

size_t pages_for(uint64_t size) {
  return static_cast<size_t>((size + kPageSize - 1) / kPageSize);
}

PageRef page_at(const std::vector<PageRef>& pages, size_t index) {
  return index < pages.size() ? pages[index] : PageRef();
}

const Page& contents_of(const PageRef& page) {
  static constexpr Page kZero{};
  return page ? *page : kZero;
}

// The parts of a path, "." left out, or nothing when it is malformed.
std::optional<std::vector<std::string_view>> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (part.size() > kNameMax || part.find('\0') != std::string_view::npos) return std::nullopt;
    if (!part.empty() && part != ".") parts.push_back(part);
  }
  return parts;
}

}  // namespace

Inode::~Inode() {
  resize_pages(0);
}

void Inode::resize_pages(size_t count) {
  for (size_t i = count; i < pages_.size(); ++i) {
    if (pages_[i]) --*pages_used_;
  }
  pages_.resize(count);
  if (is_dirty_.size() < count) is_dirty_.resize(count);
}

uint64_t Inode::pages_to_add(uint64_t offset, uint64_t size) const {
  if (size == 0) return 0;
  uint64_t missing = 0;
  const size_t end = pages_for(offset + size);
  for (auto i = static_cast<size_t>(offset / kPageSize); i < end; ++i) {
    if (i >= pages_.size() || !pages_[i]) ++missing;
  }
  return missing;
}

size_t Inode::read(uint64_t offset, std::span<std::byte> into) const {
  if (offset >= size_) return 0;
  const auto size = static_cast<size_t>(std::min<uint64_t>(into.size(), size_ - offset));
  for (size_t done = 0; done < size;) {
    const auto index = static_cast<size_t>((offset + done) / kPageSize);
    const auto within = static_cast<size_t>((offset + done) % kPageSize);
    const size_t piece = std::min(kPageSize - within, size - done);
    std::memcpy(into.data() + done, contents_of(page_at(pages_, index)).bytes.data() + within,
                piece);
    done += piece;
  }
  return size;
}

void Inode::mark_dirty(size_t index) {
  if (is_dirty_.size() <= index) is_dirty_.resize(index + 1);
  if (is_dirty_[index] != 0) return;
  is_dirty_[index] = 1;
  dirty_.push_back(index);
}

std::byte* Inode::page_for_write(size_t index) {
  PageRef& page = pages_[index];
  if (!page) {
    page = std::make_shared<Page>();
    ++*pages_used_;
  } else if (page.use_count() > 1) {
    page = std::make_shared<Page>(*page);
  }
  mark_dirty(index);
  return page->bytes.data();
}

void Inode::write(uint64_t offset, Slice bytes) {
  if (bytes.empty()) return;
  const uint64_t end = offset + bytes.size();
  if (pages_.size() < pages_for(end)) resize_pages(pages_for(end));
  for (size_t done = 0; done < bytes.size();) {
    const auto index = static_cast<size_t>((offset + done) / kPageSize);
    const auto within = static_cast<size_t>((offset + done) % kPageSize);
    const size_t piece = std::min(kPageSize - within, bytes.size() - done);
    std::memcpy(page_for_write(index) + within, bytes.data() + done, piece);
    done += piece;
  }
  size_ = std::max(size_, end);
}

void Inode::truncate(uint64_t size) {
  const auto within = static_cast<size_t>(size % kPageSize);
  if (size < size_) {
    // Dirty, so that a sync after the file has grown again does not leave the old pages there.
    for (size_t i = pages_for(size); i < pages_.size(); ++i) mark_dirty(i);
    resize_pages(pages_for(size));
    // What is cut off must read as zero if the file grows again.
    if (within != 0 && pages_.back()) {
      std::memset(page_for_write(pages_.size() - 1) + within, 0, kPageSize - within);
    }
  } else {
    resize_pages(pages_for(size));
  }
  size_ = size;
}

Inode::Snapshot Inode::begin_sync() {
  Snapshot snapshot;
  snapshot.size = size_;
  for (const size_t index : dirty_) {
    is_dirty_[index] = 0;
    if (index < pages_.size()) snapshot.pages.emplace_back(index, pages_[index]);
  }
  dirty_.clear();
  return snapshot;
}

void Inode::end_sync(const Snapshot& snapshot) {
  durable_size_ = snapshot.size;
  durable_pages_.resize(pages_for(snapshot.size));
  for (const auto& [index, page] : snapshot.pages) {
    if (index < durable_pages_.size()) durable_pages_[index] = page;
  }
}

void Inode::fail_sync() {
  for (const size_t index : dirty_) is_dirty_[index] = 0;
  dirty_.clear();
}

void Inode::set_pages(std::vector<PageRef> pages, uint64_t size) {
  resize_pages(0);
  pages_ = std::move(pages);
  for (const PageRef& page : pages_) *pages_used_ += page != nullptr ? 1 : 0;
  size_ = size;
}

// Numbers of sectors whose cache and medium differ.
std::vector<size_t> Inode::unsynced_sectors() const {
  std::vector<size_t> sectors;
  for (size_t i = 0; i < std::max(pages_.size(), durable_pages_.size()); ++i) {
    const PageRef cached = page_at(pages_, i);
    const PageRef durable = page_at(durable_pages_, i);
    if (cached == durable) continue;
    for (size_t at = 0; at < kPageSize; at += kSectorSize) {
      const std::byte* here = contents_of(cached).bytes.data() + at;
      const std::byte* there = contents_of(durable).bytes.data() + at;
      if (std::memcmp(here, there, kSectorSize) != 0)
        sectors.push_back(i * kSectorsPerPage + at / kSectorSize);
    }
  }
  return sectors;
}

// The length first: what lies beyond it is gone.
template <typename TakesNew>
bool Inode::tear(uint64_t size, TakesNew takes_new) {
  const size_t count = pages_for(size);
  std::vector<PageRef> torn(count);
  bool any_new = size != durable_size_;
  bool any_old = size != size_;
  for (size_t i = 0; i < count; ++i) {
    const PageRef cached = page_at(pages_, i);
    const PageRef durable = page_at(durable_pages_, i);
    if (cached == durable) {
      torn[i] = cached;
      continue;
    }
    torn[i] = std::make_shared<Page>(contents_of(durable));
    for (size_t at = 0; at < kPageSize; at += kSectorSize) {
      std::byte* sector = torn[i]->bytes.data() + at;
      const std::byte* cached_sector = contents_of(cached).bytes.data() + at;
      if (std::memcmp(sector, cached_sector, kSectorSize) == 0) continue;
      const bool is_new = takes_new(i * kSectorsPerPage + at / kSectorSize);
      if (is_new) std::memcpy(sector, cached_sector, kSectorSize);
      (is_new ? any_new : any_old) = true;
    }
  }
  set_pages(std::move(torn), count * kPageSize);
  truncate(size);
  return any_new && any_old;
}

// A byte that the medium has already. What is written beside it does not damage it, as drives
// promise for a sector ("powersafe overwrite").
bool Inode::is_kept(uint64_t at, std::byte byte) const {
  if (at >= durable_size_) return false;
  const PageRef page = page_at(durable_pages_, static_cast<size_t>(at / kPageSize));
  return (page == nullptr ? std::byte{0} : page->bytes[at % kPageSize]) == byte;
}

// Whether the file has something in this sector that is not on the medium.
bool Inode::is_new(size_t sector) const {
  const PageRef page = page_at(pages_, sector / kSectorsPerPage);
  const uint64_t begin = sector * kSectorSize;
  for (uint64_t at = begin; at < std::min<uint64_t>(begin + kSectorSize, size_); ++at) {
    if (!is_kept(at, page == nullptr ? std::byte{0} : page->bytes[at % kPageSize])) return true;
  }
  return false;
}

// One of eight of these sectors, but at least one, as far as they are new. False when none is.
bool Inode::garble(Random& random, const std::vector<size_t>& unsynced) {
  std::vector<size_t> within;
  for (const size_t sector : unsynced) {
    if (is_new(sector)) within.push_back(sector);
  }
  if (within.empty()) return false;
  const size_t sure = within[random.below(within.size())];
  for (const size_t sector : within) {
    if (random.below(8) != 0 && sector != sure) continue;
    const size_t at = sector % kSectorsPerPage * kSectorSize;
    const uint64_t left = size_ - sector * kSectorSize;
    std::byte* bytes = page_for_write(sector / kSectorsPerPage) + at;
    std::array<std::byte, kSectorSize> noise;
    random.fill(noise);
    for (size_t i = 0; i < std::min<uint64_t>(kSectorSize, left); ++i) {
      if (!is_kept(sector * kSectorSize + i, bytes[i])) bytes[i] = noise[i];
    }
  }
  return true;
}

void Inode::lose_power(uint64_t seed, const PowerLoss& ppm, PowerLoss& happened) {
  if (size_ != durable_size_ || pages_ != durable_pages_) {
    Random torn(seed, "torn");
    Random lost(seed, "lost");
    Random garbage(seed, "garbage");
    const std::vector<size_t> unsynced = unsynced_sectors();
    if (lost.chance(ppm.lost)) {
      set_pages(durable_pages_, durable_size_);
      ++happened.lost;
    } else if (torn.chance(ppm.torn)) {
      const uint64_t size = torn.coin() ? size_ : durable_size_;
      happened.torn += tear(size, [&](size_t) { return torn.coin(); }) ? 1 : 0;
    }
    // Otherwise it is kept as it was in the cache.
    if (garbage.chance(ppm.garbage)) happened.garbage += garble(garbage, unsynced) ? 1 : 0;
  }
  settle();
}

void Inode::settle() {
  durable_pages_ = pages_;
  durable_size_ = size_;
  is_dirty_.assign(pages_.size(), 0);
  dirty_.clear();
}

// Each way in which so many sectors can be new or old, or, of more of them, these: the first ones
// are new and the rest is not, or one is missing.
void Inode::lose_power(Ageing& ageing, std::string_view name) {
  constexpr size_t kEachWay = 5;
  const std::vector<size_t> unsynced = unsynced_sectors();
  const std::string of = " of " + std::string(name) + " is ";
  uint64_t size = size_;
  if (size_ != durable_size_ && ageing.choose(2, "the length" + of + "old") == 1)
    size = durable_size_;
  std::vector<size_t> within;
  for (const size_t sector : unsynced) {
    if (sector * kSectorSize < size) within.push_back(sector);
  }
  std::vector<uint8_t> is_old(within.size());
  if (within.size() <= kEachWay) {
    for (size_t i = 0; i < within.size(); ++i) {
      const std::string what = "sector " + std::to_string(within[i]) + of + "old";
      is_old[i] = static_cast<uint8_t>(ageing.choose(2, what));
    }
  } else {
    const size_t count = within.size();
    const size_t way = ageing.choose(2 * count + 1, "some" + of + "old");
    for (size_t i = 0; i < count; ++i) is_old[i] = way > count ? way - count - 1 == i : i < way;
    if (way <= count) std::reverse(is_old.begin(), is_old.end());
  }
  const bool garbage = !within.empty() && ageing.choose(2, "what was not synced" + of + "garbage");
  if (size_ != durable_size_ || !unsynced.empty()) {
    tear(size, [&](size_t sector) {
      const auto at = std::find(within.begin(), within.end(), sector) - within.begin();
      return static_cast<size_t>(at) < within.size() && is_old[static_cast<size_t>(at)] == 0;
    });
  }
  for (size_t i = 0; garbage && i < within.size(); ++i) {
    if (is_old[i] != 0) continue;
    const size_t from = within[i] * kSectorSize;
    const size_t bytes = static_cast<size_t>(std::min<uint64_t>(kSectorSize, size_ - from));
    std::byte* place = page_for_write(from / kPageSize) + from % kPageSize;
    for (size_t at = 0; at < bytes; ++at) {
      if (!is_kept(from + at, place[at])) place[at] ^= std::byte{0xa5};
    }
  }
  settle();
}

std::vector<size_t> Inode::durable_pages() const {
  std::vector<size_t> indices;
  for (size_t i = 0; i < durable_pages_.size(); ++i) {
    if (durable_pages_[i]) indices.push_back(i);
  }
  return indices;
}

void Inode::rot(size_t index, Random& random) {
  PageRef& page = durable_pages_[index];
  // A page that is clean in the cache is read from the medium again, sooner or later.
  const bool clean = page_at(pages_, index) == page;
  auto wrong = std::make_shared<Page>(*page);
  const uint64_t end = std::min<uint64_t>(kPageSize, durable_size_ - index * kPageSize);
  const uint64_t at = random.below(end);
  const uint64_t count = std::min<uint64_t>(1 + random.below(8), end - at);
  for (uint64_t i = at; i < at + count; ++i) {
    wrong->bytes[i] ^= static_cast<std::byte>(1 + random.below(255));
  }
  page = wrong;
  if (clean) pages_[index] = std::move(wrong);
}

DiskImage Inode::image() const {
  DiskImage image;
  image.directory = directory_;
  image.pages = durable_pages_;
  image.size = durable_size_;
  for (const auto& [name, child] : durable_names) {
    image.names.push_back(name);
    image.children.push_back(child->image());
  }
  return image;
}

void Inode::restore(const DiskImage& image) {
  set_pages(image.pages, image.size);
  settle();
  names.clear();
  for (size_t i = 0; i < image.names.size(); ++i) {
    const auto child = std::make_shared<Inode>(image.children[i].directory, pages_used_);
    child->restore(image.children[i]);
    names[image.names[i]] = child;
  }
  durable_names = names;
}

Disk::Disk(Random random) : random_(random) {
  wipe();
}

Expected<Disk::Place> Disk::locate(std::string_view path) {
  std::string absolute;
  if (path.empty()) return Error::not_found;
  if (path.front() != '/') absolute = std::string(kOwnDirectory) + "/";
  absolute += path;
  const auto parts = split(absolute);
  if (!parts) return Error::invalid;
  std::vector<Place> way = {{nullptr, "", root_}};
  for (const std::string_view part : *parts) {
    const InodeRef directory = way.back().inode;
    if (directory == nullptr) return Error::not_found;
    if (!directory->directory()) return Error::not_directory;
    if (part == "..") {
      if (way.size() > 1) way.pop_back();
      continue;
    }
    const auto found = directory->names.find(part);
    way.push_back(
        {directory, std::string(part), found == directory->names.end() ? nullptr : found->second});
  }
  return way.back();
}

Expected<InodeRef> Disk::find(std::string_view path) {
  auto place = locate(path);
  if (!place) return place.error();
  if (place->inode == nullptr) return Error::not_found;
  return place->inode;
}

void Disk::apply(const Change& change) {
  if (change.from != nullptr) {
    const auto found = change.from->durable_names.find(change.from_name);
    if (found != change.from->durable_names.end() && found->second == change.inode) {
      change.from->durable_names.erase(found);
    }
  }
  if (change.to != nullptr) change.to->durable_names[change.to_name] = change.inode;
}

void Disk::change(Change change) {
  change.number = next_change_++;
  if (change.from != nullptr) change.from->names.erase(change.from_name);
  if (change.to != nullptr) change.to->names[change.to_name] = change.inode;
  changes_.push_back(std::move(change));
}

Expected<InodeRef> Disk::open(std::string_view path, OpenFlags flags) {
  auto place = locate(path);
  if (!place) return place.error();
  InodeRef inode = place->inode;
  if (inode != nullptr) {
    if (flags.create && flags.exclusive) return Error::exists;
    if (inode->directory() && (flags.write || flags.truncate)) return Error::is_directory;
    if (flags.truncate && flags.write) inode->truncate(0);
    return inode;
  }
  if (!flags.create) return Error::not_found;
  inode = std::make_shared<Inode>(false, &pages_used_);
  change({0, inode, nullptr, "", place->directory, place->name});
  return inode;
}

bool Disk::contains(const InodeRef& tree, const InodeRef& wanted) {
  if (tree == wanted) return true;
  for (const auto& [name, inode] : tree->names) {
    if (inode->directory() && contains(inode, wanted)) return true;
  }
  return false;
}

Error Disk::rename(std::string_view from, std::string_view to) {
  auto old_place = locate(from);
  if (!old_place) return old_place.error();
  auto new_place = locate(to);
  if (!new_place) return new_place.error();
  const InodeRef inode = old_place->inode;
  if (inode == nullptr) return Error::not_found;
  if (old_place->directory == nullptr || new_place->directory == nullptr) return Error::invalid;
  if (new_place->inode == inode) return Error::none;
  if (inode->directory() && contains(inode, new_place->directory)) return Error::invalid;
  if (const InodeRef target = new_place->inode; target != nullptr) {
    if (target->directory() && !inode->directory()) return Error::is_directory;
    if (!target->directory() && inode->directory()) return Error::not_directory;
    if (!target->names.empty()) return Error::not_empty;
  }
  change({0, inode, old_place->directory, old_place->name, new_place->directory, new_place->name});
  return Error::none;
}

Error Disk::remove(std::string_view path) {
  auto place = locate(path);
  if (!place) return place.error();
  if (place->inode == nullptr) return Error::not_found;
  if (place->directory == nullptr) return Error::invalid;
  if (!place->inode->names.empty()) return Error::not_empty;
  change({0, place->inode, place->directory, place->name, nullptr, ""});
  return Error::none;
}

Expected<std::vector<std::string>> Disk::list(std::string_view path) {
  auto inode = find(path);
  if (!inode) return inode.error();
  if (!(*inode)->directory()) return Error::not_directory;
  std::vector<std::string> names;
  for (const auto& [name, child] : (*inode)->names) names.push_back(name);
  return names;
}

Error Disk::make_directory(std::string_view path) {
  auto place = locate(path);
  if (!place) return place.error();
  if (place->inode != nullptr) return Error::exists;
  change(
      {0, std::make_shared<Inode>(true, &pages_used_), nullptr, "", place->directory, place->name});
  return Error::none;
}

void Disk::end_sync_names(const InodeRef& directory, uint64_t mark) {
  std::erase_if(changes_, [&](const Change& change) {
    if (change.number >= mark) return false;
    if (change.from != directory && change.to != directory) return false;
    apply(change);
    return true;
  });
}

void Disk::lose_power_below(const InodeRef& inode, const PowerLoss& ppm, PowerLoss& happened) {
  if (!inode->directory()) return inode->lose_power(random_.next(), ppm, happened);
  inode->names = inode->durable_names;
  for (const auto& [name, child] : inode->names) lose_power_below(child, ppm, happened);
}

PowerLoss Disk::lose_power(const PowerLoss& ppm) {
  PowerLoss happened;
  const uint64_t seed = random_.next();
  if (ageing_ != nullptr) {
    age();
    return happened;
  }
  Random names(seed, "names");
  Random renames(seed, "renames");
  for (const Change& change : changes_) {
    const bool renamed = change.from != nullptr && change.to != nullptr;
    const bool lost = renamed ? renames.chance(ppm.rename_lost) : names.chance(ppm.name_lost);
    if (!lost) {
      apply(change);
    } else {
      ++(renamed ? happened.rename_lost : happened.name_lost);
    }
  }
  changes_.clear();
  lose_power_below(root_, ppm, happened);
  return happened;
}

std::string Disk::change_text(const Change& change) {
  if (change.from == nullptr) return "that " + change.to_name + " was created";
  if (change.to == nullptr) return "that " + change.from_name + " was removed";
  return "the new name " + change.to_name + " of " + change.from_name;
}

void Disk::age() {
  for (const Change& change : changes_) {
    if (ageing_->choose(2, change_text(change) + " is lost") == 0) apply(change);
  }
  changes_.clear();
  const auto below = [&](const auto& self, Inode& directory) -> void {
    directory.names = directory.durable_names;
    for (const auto& [name, child] : directory.names) {
      child->directory() ? self(self, *child) : child->lose_power(*ageing_, name);
    }
  };
  below(below, *root_);
}

void Disk::find_rot(const InodeRef& inode, std::vector<RotPlace>& places) {
  for (const size_t page : inode->durable_pages()) places.push_back({inode.get(), page});
  for (const auto& [name, child] : inode->names) find_rot(child, places);
}

bool Disk::can_rot() const {
  std::vector<RotPlace> places;
  find_rot(root_, places);
  return !places.empty();
}

bool Disk::rot(Random& random) {
  std::vector<RotPlace> places;
  find_rot(root_, places);
  if (places.empty()) return false;
  const RotPlace place = places[random.below(places.size())];
  place.inode->rot(place.page, random);
  return true;
}

void Disk::wipe() {
  changes_.clear();
  root_ = std::make_shared<Inode>(true, &pages_used_);
  const Error made = make_directory(kOwnDirectory);
  ASSERT(made == Error::none);
  end_sync_names(root_, next_change_);
}

DiskImage Disk::image() const {
  return root_->image();
}

void Disk::restore(const DiskImage& image) {
  changes_.clear();
  root_ = std::make_shared<Inode>(true, &pages_used_);
  root_->restore(image);
}

Expected<std::string> Disk::contents(std::string_view path) {
  auto inode = find(path);
  if (!inode) return inode.error();
  if ((*inode)->directory()) return Error::is_directory;
  std::string text(static_cast<size_t>((*inode)->size()), '\0');
  (*inode)->read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace redoubt::sim

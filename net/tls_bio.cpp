#include "net/tls_bio.hpp"

#include <openssl/bio.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace onetap::net {
namespace {

int read_wire(BIO* bio, char* data, std::size_t size, std::size_t* read) {
  auto* wire = static_cast<TlsWire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (wire->incoming.empty()) {
    if (!wire->ended) BIO_set_retry_read(bio);
    return 0;
  }
  std::size_t const taken = std::min(size, wire->incoming.size());
  std::memcpy(data, wire->incoming.data(), taken);
  wire->incoming.remove_prefix(taken);
  *read = taken;
  return 1;
}

int write_wire(BIO* bio, char const* data, std::size_t size, std::size_t* written) {
  auto* wire = static_cast<TlsWire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  wire->outgoing.append(data, size);
  *written = size;
  return 1;
}

long control_wire(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  auto const* wire = static_cast<TlsWire const*>(BIO_get_data(bio));
  switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return wire->ended && wire->incoming.empty() ? 1 : 0;
    case BIO_CTRL_PENDING: return static_cast<long>(wire->incoming.size());
    case BIO_CTRL_WPENDING: return static_cast<long>(wire->outgoing.size());
    default: return 0;
  }
}

int create_wire(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

}  // namespace

bio_method_st* new_tls_bio_method() {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "onetap wire");
  if (method == nullptr) throw std::bad_alloc();
  BIO_meth_set_read_ex(method, read_wire);
  BIO_meth_set_write_ex(method, write_wire);
  BIO_meth_set_ctrl(method, control_wire);
  BIO_meth_set_create(method, create_wire);
  return method;
}

void free_tls_bio_method(bio_method_st* method) { BIO_meth_free(method); }

bio_st* new_tls_bio(bio_method_st* method, TlsWire& wire) {
  BIO* bio = BIO_new(method);
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, &wire);
  return bio;
}

}  // namespace onetap::net

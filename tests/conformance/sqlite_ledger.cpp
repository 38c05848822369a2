#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {

std::unique_ptr<LedgerUnderTest> make_ledger_under_test() { return std::make_unique<SqliteUnderTest>(); }

}  // namespace onetap::tests

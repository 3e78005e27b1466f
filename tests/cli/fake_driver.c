// A CUDA driver without a card: what the program asks before it opens a device, answered as the environment says.
#include <stdlib.h>
#include <string.h>

static int set(const char *name, int otherwise) {
    const char *value = getenv(name);
    return value ? atoi(value) : otherwise;
}

int cuInit(unsigned flags) { return set("FAKE_INIT", 0); }
int cuDriverGetVersion(int *version) { return *version = set("FAKE_VERSION", 99000), 0; }
int cuDeviceGetCount(int *count) { return *count = set("FAKE_COUNT", 1), 0; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, 0; }
int cuDeviceGetName(char *name, int length, int device) { return strncpy(name, "Fake card", length), 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { return *bytes = (size_t)80 << 30, 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    int capability = set("FAKE_CAPABILITY", 0);
    // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
    return *value = attribute == 75 ? capability / 10 : attribute == 76 ? capability % 10 : 1, 0;
}
int cuDevicePrimaryCtxRetain(void **context, int device) { return set("FAKE_CONTEXT", 0); }
int cuGetErrorString(int error, const char **text) { return *text = "fake", 0; }

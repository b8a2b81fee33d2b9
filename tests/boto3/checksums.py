"""Checksums that boto3 cannot compute without its C runtime."""

import base64


def _reflected_table(polynomial):
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


def _reflected_crc(table, bits, data):
    mask = (1 << bits) - 1
    value = mask
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return base64.b64encode((value ^ mask).to_bytes(bits // 8, "big")).decode()


_CRC32C_TABLE = _reflected_table(0x82F63B78)
_CRC64NVME_TABLE = _reflected_table(0x9A6C9329AC4BC9B5)


def crc32c(data):
    return _reflected_crc(_CRC32C_TABLE, 32, data)


def crc64nvme(data):
    return _reflected_crc(_CRC64NVME_TABLE, 64, data)

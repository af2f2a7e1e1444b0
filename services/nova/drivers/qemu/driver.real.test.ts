import { describe, it } from 'node:test'
import { driverConformance } from '../conformance.ts'
import { qemuBench, testImage } from './bench.ts'

const image = testImage()
if ('reason' in image) describe('The QEMU driver', () => void it('conforms', { skip: image.reason }, () => {}))
else driverConformance('The QEMU driver', () => qemuBench(image.path))

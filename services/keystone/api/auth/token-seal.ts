/** How a record becomes the text of a token and back: the providers `fernet` and `jws`. */
import { claimsOf, recordOf } from '../../core/jws.ts'
import { packToken, type TokenRecord, unpackToken } from '../../core/token-payload.ts'
import type { JwsKeys } from '../../store/jws-keys.ts'
import type { KeyRepository } from '../../store/key-repository.ts'

export interface TokenSeal {
  seal(record: TokenRecord): Promise<string>
  /** Undefined for what none of our keys made. Whether it still holds is for the judgement to say. */
  open(token: string): Promise<TokenRecord | undefined>
}

export function fernetSeal(keys: KeyRepository): TokenSeal {
  return {
    seal: (record) => keys.encrypt(packToken(record), record.issued_at / 1000),
    async open(token) {
      const content = await keys.decrypt(token)
      return content && unpackToken(content.data, content.seconds * 1000)
    },
  }
}

export function jwsSeal(keys: JwsKeys): TokenSeal {
  return {
    seal: (record) => keys.sign(claimsOf(record)),
    async open(token) {
      const claims = await keys.verify(token)
      return claims && recordOf(claims)
    },
  }
}

/** What the API accepts; anything else is refused with its path. */
const object = (properties, required = Object.keys(properties)) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});
const id = { type: 'string', pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' };
const title = { type: 'string', minLength: 1, maxLength: 200, pattern: '\\S' };
const seconds = { type: 'number', minimum: 0, maximum: 86400 };
const word = { type: 'string', minLength: 1, maxLength: 100, pattern: '^[A-Za-z0-9._-]+$' };

const operation = (type, properties, required) =>
  object({ type: { const: type }, ...properties }, ['type', ...required]);

const operations = {
  type: 'array',
  minItems: 1,
  maxItems: 20,
  items: {
    type: 'object',
    discriminator: { propertyName: 'type' },
    required: ['type'],
    oneOf: [
      operation('trim', { start: seconds, end: seconds }, ['start']),
      operation('gain', { db: { type: 'number', minimum: -60, maximum: 40 } }, ['db']),
      operation('fade', { in: seconds, out: seconds }, []),
      operation(
        'speech',
        {
          text: { type: 'string', minLength: 1, maxLength: 2000, pattern: '\\S' },
          provider: word,
          voice: word,
          position: { enum: ['start', 'end'] },
        },
        ['text'],
      ),
    ],
  },
};

export const params = object({ id });
export const account = object({
  name: { type: 'string', pattern: '^[\\p{L}\\p{N}._-]{1,64}$' },
  password: { type: 'string', minLength: 8, maxLength: 200 },
});
export const login = object({
  name: { type: 'string', maxLength: 64 },
  password: { type: 'string', maxLength: 200 },
});
export const project = object({ name: title });
export const job = object({ source: id, operations }, ['operations']);
export const points = object({ points: { type: 'string', pattern: '^[1-9][0-9]{0,3}$' } }, []);
